//! The `windlass` program: start-up only, the commands are in [`windlass::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    // Every TLS client of the process uses this one provider; building one before this would panic.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return windlass::cli::fail("the TLS provider was installed twice; this is a bug in Windlass");
    }
    windlass::cli::run()
}
