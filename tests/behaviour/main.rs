//! Windlass as its users meet it: the built program against a real Kubernetes control plane and a Git server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod adoption;
mod aliases;
mod apiserver;
mod apply;
mod canary;
mod causes;
mod cli;
mod conflict;
mod contended;
mod crash;
mod crd;
mod delete;
mod dependencies;
mod drift;
mod events;
mod failures;
mod fence;
mod gates;
mod handover;
mod harness;
mod health_checks;
mod history;
mod hook_failures;
mod hooks;
mod ignore;
mod immutable;
mod jobs;
mod kinds;
mod lease;
mod modes;
mod moving;
mod observe;
mod preflight;
mod prune;
mod rehearse;
mod renaming;
mod requests;
mod restart;
mod rights;
mod rollback;
mod rollback_choices;
mod rollback_stages;
mod rollback_taken;
mod rollout_commands;
mod rollout_crash;
mod rollout_gates;
mod rollout_stateful;
mod rollout_stories;
mod rollouts;
mod routes;
mod sources;
mod store;
mod strip;
mod takeover;
mod takeover_tools;
mod waves;
mod web;
mod write_back;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Those that wait longest come first.
    let tests = [
        rollback::tests(),
        rollback_stages::tests(),
        canary::tests(),
        rollout_crash::tests(),
        rollout_stories::tests(),
        rollout_gates::tests(),
        rollout_stateful::tests(),
        rollouts::tests(),
        rollout_commands::tests(),
        rollback_choices::tests(),
        rollback_taken::tests(),
        hook_failures::tests(),
        sources::tests(),
        moving::tests(),
        rehearse::tests(),
        renaming::tests(),
        drift::tests(),
        restart::tests(),
        lease::tests(),
        apiserver::tests(),
        fence::tests(),
        causes::tests(),
        health_checks::tests(),
        store::tests(),
        crash::tests(),
        failures::tests(),
        gates::tests(),
        web::tests(),
        waves::tests(),
        hooks::tests(),
        jobs::tests(),
        delete::tests(),
        prune::tests(),
        preflight::tests(),
        dependencies::tests(),
        events::tests(),
        apply::tests(),
        conflict::tests(),
        adoption::tests(),
        takeover_tools::tests(),
        modes::tests(),
        history::tests(),
        cli::tests(),
        observe::tests(),
        kinds::tests(),
        requests::tests(),
        rights::tests(),
        crd::tests(),
        aliases::tests(),
        routes::tests(),
        contended::tests(),
        handover::tests(),
        immutable::tests(),
        ignore::tests(),
        strip::tests(),
        takeover::tests(),
        write_back::tests(),
    ];
    harness::run(tests.into_iter().flatten())
}
