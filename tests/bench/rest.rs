//! The controller with everything in sync: its restart, and what it costs when nothing happens.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::Instant;

use crate::audit::counts;
use crate::controller::Controller;
use crate::figures::{Idle, Restart};
use crate::options::Options;
use crate::processes;
use crate::testbed::Testbed;

/// How often a started controller is asked whether it has compared everything.
const LOOK: Duration = Duration::from_millis(50);

/// Starts a controller on a namespace that is in sync, and measures until it knows that.
pub async fn restart(
    testbed: &Testbed,
    options: &Options,
    namespace: &str,
) -> anyhow::Result<(Controller, Restart)> {
    testbed.audit.quiet().await?;
    let mark = testbed.audit.mark().await?;
    let controller = Controller::start(testbed, options, namespace).await?;
    let deadline = Instant::now() + Duration::from_secs(60 + u64::from(options.apps));
    let metrics = loop {
        let metrics = controller.metrics().await?;
        if metrics.sum("windlass_applications", "sync=\"Synced\"") == u64::from(options.apps) {
            break metrics;
        }
        ensure!(Instant::now() < deadline, "not all Synced after a restart:\n{}", controller.tail());
        tokio::time::sleep(LOOK).await;
    };
    let seconds = controller.leading.elapsed().as_secs_f64();
    let cpu = processes::cpu(controller.pid()?)?;
    testbed.audit.quiet().await?;
    let requests = testbed.audit.since(mark, &testbed.windlass.user).await?;
    let restart = Restart {
        seconds,
        cpu_seconds: cpu.as_secs_f64(),
        renders: metrics.renders(),
        writes: counts(requests.iter().filter(|r| r.writes() && !r.is_lease())),
        reads: counts(requests.iter().filter(|r| !r.writes())),
    };
    Ok((controller, restart))
}

/// Looks at a controller that has nothing to do.
pub async fn idle(testbed: &Testbed, options: &Options, controller: &Controller) -> anyhow::Result<Idle> {
    testbed.audit.quiet().await?;
    let looks_before = controller.metrics().await?.looks();
    let mark = testbed.audit.mark().await?;
    let pid = controller.pid()?;
    let (began, before) = (Instant::now(), processes::cpu(pid)?);
    tokio::time::sleep(options.idle.get()).await;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = processes::cpu(pid)?.saturating_sub(before);
    let memory = processes::memory(pid)?;
    let requests = testbed.audit.since(mark, &testbed.windlass.user).await?;
    Ok(Idle {
        seconds,
        cpu_percent: cpu.as_secs_f64() / seconds * 100.0,
        looks: controller.metrics().await?.looks() - looks_before,
        memory,
        leases: requests.iter().filter(|r| r.writes() && r.is_lease()).count(),
        writes: counts(requests.iter().filter(|r| r.writes() && !r.is_lease())),
        reads: counts(requests.iter().filter(|r| !r.writes())),
    })
}
