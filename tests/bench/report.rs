//! The figures as a table for people, with the budgets of the design beside them.

use std::fmt::Write as _;

use crate::audit::Count;
use crate::figures::{Figures, Latency, Round, median};
use crate::processes::Memory;

const OBJECTS: f64 = 4.0;

/// A table of all figures.
pub fn table(figures: &Figures) -> String {
    let mut table = Table::default();
    let Figures { machine, apps, replicas, .. } = figures;
    table.line(&format!("Windlass {}: {apps} applications of 4 objects (Deployment with replicas {replicas}, Service, ConfigMap, ServiceAccount)", figures.version));
    table.line(&format!(
        "on {} cores of {}, load {:.1} before and {:.1} after",
        machine.cores, machine.processor, machine.load_before, machine.load_after
    ));
    first_sync(&mut table, figures);
    restart(&mut table, figures);
    idle(&mut table, figures);
    drift(&mut table, figures);
    commits(&mut table, figures);
    dependencies(&mut table, figures);
    table.text
}

fn first_sync(table: &mut Table, figures: &Figures) {
    let rounds = &figures.rounds;
    let over = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure));
    let objects = f64::from(figures.apps) * OBJECTS;
    let rate = |seconds: f64| format!("{:.0} objects/s, {seconds:.2} s", objects / seconds);
    let times =
        if rounds.len() > 1 { format!(" (medians of {} rounds)", rounds.len()) } else { String::new() };
    table.title(&format!("First sync{times}"));
    table.row("bare loop, the objects only", &rate(over(&|r| r.bare.seconds)), "");
    table.row("bare loop, the same writes, ours included", &rate(over(&|r| r.same.seconds)), "");
    table.row("Windlass, leading to last application Synced", &rate(over(&|r| r.first_sync.seconds)), "");
    let ratio = |bare: &dyn Fn(&Round) -> f64| format!("{:.2}", over(&|r| r.first_sync.seconds / bare(r)));
    table.row("time against the same writes", &ratio(&|r| r.same.seconds), "<= 1.2");
    table.row("time against the objects only", &ratio(&|r| r.bare.seconds), "");
    let seconds = |value: f64| format!("{value:.2} s");
    table.row("leading to last application Ready", &seconds(over(&|r| r.first_sync.ready_seconds)), "");
    table.row("start of the program to leading", &seconds(over(&|r| r.first_sync.start_seconds)), "");
    let own = over(&|r| count(r.first_sync.own_writes) / f64::from(figures.apps));
    table.row("own writes an application", &format!("{own:.2}"), "<= 5");
    let Some(last) = rounds.last() else { return };
    let sync = &last.first_sync;
    table.row("requests refused", &sync.refused.to_string(), "");
    table.row("CPU of controller and workers", &seconds(over(&|r| r.first_sync.cpu_seconds)), "");
    let cluster = [
        over(&|r| r.bare.cluster_cpu_seconds),
        over(&|r| r.first_sync.cluster_cpu_seconds),
        over(&|r| r.same.cluster_cpu_seconds),
    ];
    let cluster = cluster.map(|seconds| format!("{seconds:.1} s")).join(", ");
    table.row("CPU of the cluster: objects only, Windlass, same writes", &cluster, "");
    let ratio = over(&|r| r.first_sync.cluster_cpu_seconds / r.same.cluster_cpu_seconds);
    table.row("CPU of the cluster against the same writes", &format!("{ratio:.2}"), "");
    table.row("most memory of controller and workers", &memory(&sync.peak), "");
    table.counts("written", &sync.writes);
    table.counts("read", &sync.reads);
}

fn restart(table: &mut Table, figures: &Figures) {
    let restart = &figures.restart;
    table.title("Restart with everything in sync");
    table.row("leading to everything compared", &format!("{:.2} s", restart.seconds), "");
    table.row("CPU of controller and workers", &format!("{:.2} s", restart.cpu_seconds), "");
    table.row("renders", &restart.renders.to_string(), "");
    table.row("writes but the Lease", &total(&restart.writes), "0");
    table.counts("written", &restart.writes);
    table.counts("read", &restart.reads);
}

fn idle(table: &mut Table, figures: &Figures) {
    let idle = &figures.idle;
    table.title(&format!("At rest for {:.0} s, {} looks at the repository", idle.seconds, idle.looks));
    table.row(
        "CPU of controller and workers",
        &format!("{:.2} % of a core", idle.cpu_percent),
        "< 0.3 % at 1,000",
    );
    table.row("memory of controller and workers", &memory(&idle.memory), "<= 60 MiB at 1,000");
    table.row("writes but the Lease", &total(&idle.writes), "0");
    table.row("renewals of the Lease", &idle.leases.to_string(), "");
    table.counts("written", &idle.writes);
    table.counts("read", &idle.reads);
}

fn drift(table: &mut Table, figures: &Figures) {
    table.title("Drift: from sending a change by hand until a watch shows it healed");
    for heal in &figures.heal {
        table.row(&heal.change, &latency(&heal.from_request), "");
    }
    let all = Latency::all(figures.heal.iter().map(|heal| &heal.from_request));
    table.row("all", &latency(&all), "p50 < 100 ms, p99 < 300 ms");
    let all = Latency::all(figures.heal.iter().map(|heal| &heal.from_answer));
    table.row("all, from the answer to the change", &latency(&all), "");
}

fn commits(table: &mut Table, figures: &Figures) {
    let commits = &figures.commits;
    let count = commits.live.samples.len();
    table.title(&format!("{count} commits that touch one application each, from the request to look"));
    table.row("object live", &latency(&commits.live), "< 1 s");
    table.row("Application Ready", &latency(&commits.ready), "< 2 s");
    table.row("renders", &commits.renders.to_string(), &count.to_string());
    table.row("objects written", &commits.object_writes.to_string(), &count.to_string());
    table.row("looks at the repository", &commits.looks.to_string(), "");
    table.row("CPU of controller and workers", &format!("{:.2} s", commits.cpu_seconds), "");
    table.counts("written", &commits.writes);
    table.counts("read", &commits.reads);
}

fn dependencies(table: &mut Table, figures: &Figures) {
    let count = figures.dependencies.samples.len();
    table.title(&format!(
        "{count} new applications that depend on another, from a watch showing that one Ready"
    ));
    table.row("first object live", &latency(&figures.dependencies), "< 1 s");
}

fn latency(latency: &Latency) -> String {
    format!("p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms", latency.p50, latency.p99, latency.max)
}

fn memory(memory: &Memory) -> String {
    let mib = |kib: u64| format!("{:.1}", count(usize::try_from(kib).unwrap_or(usize::MAX)) / 1024.0);
    let proportional = memory.proportional_kib.map_or_else(String::new, |kib| format!(", PSS {}", mib(kib)));
    format!(
        "RSS {} MiB ({} + {} in {} workers{proportional})",
        mib(memory.sum_kib()),
        mib(memory.own_kib),
        mib(memory.children_kib),
        memory.children
    )
}

fn total(counts: &[Count]) -> String {
    counts.iter().map(|c| c.count).sum::<usize>().to_string()
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[derive(Default)]
struct Table {
    text: String,
}

impl Table {
    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn title(&mut self, text: &str) {
        self.line("");
        self.line(text);
    }

    fn row(&mut self, what: &str, figure: &str, budget: &str) {
        let budget = if budget.is_empty() { String::new() } else { format!("budget {budget}") };
        let row = format!("  {what:<56}{figure:<60}{budget}");
        self.line(row.trim_end());
    }

    /// Counts on one line, as `800 patch deployments`.
    fn counts(&mut self, what: &str, counts: &[Count]) {
        if counts.is_empty() {
            return;
        }
        let mut text = String::new();
        for (index, Count { verb, resource, count }) in counts.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator}{count} {verb} {resource}");
        }
        self.line(&format!("  {what}: {text}"));
    }
}
