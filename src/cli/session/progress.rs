//! Progress on a terminal: a bar with the current step; elsewhere, one line for each long wait.
//!
//! Invariant: nothing is drawn in pipes, under `CI`, and with `-q`.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Context;
use crate::diagnostic::sanitize::line;
use crate::execute::Event;
use crate::plan::step::Op;
use crate::plan::{AnyStep, Plan};
use crate::service::http::{Observer, Waiting};

/// The shortest wait that is reported.
const WORTH_A_LINE: Duration = Duration::from_secs(1);

/// The progress of an apply.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    notes: Notes,
}

/// Lines about the run.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    pub(crate) fn new(context: &Context) -> Self {
        let watched = !context.quiet()
            && std::io::stderr().is_terminal()
            && context.environment().os("CI").is_none();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if watched {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        Self { notes: Notes { bar: bar.clone(), quiet: context.quiet() }, bar }
    }

    /// Reports long waits of the transport.
    pub(crate) fn observer(self: &Arc<Self>) -> Observer {
        let notes = self.notes();
        Arc::new(move |Waiting { reason, wait, .. }: &Waiting| {
            if *wait >= WORTH_A_LINE {
                notes.note(&format!("{reason}: waiting {} s", wait.as_secs_f64().ceil()));
            }
        })
    }

    pub(crate) fn notes(&self) -> Notes {
        self.notes.clone()
    }

    pub(crate) fn start(&self, plan: &Plan) {
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} {wide_msg}")
            .expect("the template is ours");
        self.bar.set_style(style);
        self.bar.reset();
        self.bar.set_length(plan.all_steps().count() as u64);
    }

    pub(crate) fn show(&self, event: Event<'_>) {
        match event {
            Event::Started(step) => {
                tracing::debug!(step = step.id(), "started: {}", describe(step));
                self.bar.set_message(describe(step));
            }
            Event::Ended(step, ended) => {
                tracing::debug!(step = step.id(), ?ended, "ended: {}", describe(step));
                self.bar.inc(1);
            }
        }
    }

    /// Shows the period in seconds that was read, the number of records, and the estimated
    /// remaining time.
    pub(crate) fn show_read(&self, (whole, read): (u64, u64), records: u64) {
        if self.bar.length() != Some(whole) {
            let style = ProgressStyle::with_template("{bar:24} {percent}% {msg}, {eta} left");
            self.bar.set_style(style.expect("the template is ours"));
            self.bar.set_length(whole);
            // The part that an earlier run read says nothing about the speed of this one.
            self.bar.set_position(read);
            self.bar.reset_eta();
        }
        self.bar.set_position(read);
        self.bar.set_message(format!("{records} records"));
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Notes {
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| {
                let _ = writeln!(super::output::stderr(), "{}", line(text));
            });
        }
    }
}

fn describe(step: AnyStep<'_>) -> String {
    let verb = match step.op() {
        Op::Create => "creating",
        Op::Update => "updating",
        Op::Delete => "deleting",
        Op::Approve => "approving",
        Op::Reject => "rejecting",
        Op::Activate => "activating",
    };
    match step.rule() {
        Some(rule) => format!("{verb} {} › {}", line(step.policy()), line(rule)),
        None => format!("{verb} {}", line(step.policy())),
    }
}
