//! What every test stands on: one cluster a run; for each test a namespace, a service account, a Git
//! repository and a controller of its own.
//!
//! A test is a plain function. It asks in the words of its [`Scene`], and [`until`] waits for an outcome with
//! a deadline that only a defect reaches; how long it took is printed at the end of the run.

mod audit;
mod cluster;
mod command;
mod controller;
mod evidence;
pub mod gateway;
pub mod manifests;
mod prometheus;
mod proxy;
mod repository;
mod scene;
mod server;
pub mod shop;
mod timing;

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::thread;

use libtest_mimic::{Arguments, Failed, Trial};

pub use audit::{Mark, Write};
pub use cluster::{block_on, cluster};
pub use command::Ran;
pub use controller::signal;
pub use prometheus::{Prometheus, Target};
pub use proxy::{Fate, Gate, Proxy};
pub use repository::Repository;
pub use scene::Scene;
pub use server::ApiServer;
pub use timing::{record, until, until_within};

/// Tests wait more than they work.
const THREADS: usize = 6;

/// A test: its name, as `file::function`, and what it does.
pub type Test = (&'static str, fn());

/// The tests of a file by the names of their functions.
#[macro_export]
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        pub fn tests() -> Vec<$crate::harness::Test> {
            let file = module_path!().rsplit("::").next().unwrap();
            vec![$((Box::leak(format!("{file}::{}", stringify!($test)).into_boxed_str()) as &str, $test as fn())),*]
        }
    };
}

/// Runs tests, those first that come first, and prints how long they waited for what.
pub fn run(tests: impl IntoIterator<Item = Test>) -> ExitCode {
    // Every TLS client of the process uses this one provider.
    rustls::crypto::ring::default_provider().install_default().expect("it is the first");
    evidence::collect_panics();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let trials = tests.into_iter().map(|(name, test)| Trial::test(name, move || one(name, test))).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    timing::print();
    cluster::stop();
    conclusion.exit_code()
}

fn one(name: &'static str, test: fn()) -> Result<(), Failed> {
    timing::begin(name);
    let ended: Result<(), Box<dyn Any + Send>> = panic::catch_unwind(AssertUnwindSafe(test));
    timing::end(name);
    ended.map_err(|_| Failed::from(evidence::take()))
}

/// A pause, where there is nothing to wait for: that something does *not* happen.
pub fn pause(seconds: f64) {
    thread::sleep(std::time::Duration::from_secs_f64(seconds));
}
