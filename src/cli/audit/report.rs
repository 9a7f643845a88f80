//! What an audit found: every invariant with what breaks it and what is still under way.

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::domain::PaymentId;

/// How many examples are named for each invariant, unless more are asked for.
pub const EXAMPLES: usize = 20;

macro_rules! invariants {
    ($($variant:ident, $name:literal, $statement:literal;)*) => {
        /// What must hold. Its name is stable: tests and alerts may rely on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Invariant {
            $(#[doc = $statement] $variant,)*
        }

        impl Invariant {
            /// Every invariant, in the order in which they are shown.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// One sentence for people.
            pub fn statement(self) -> &'static str {
                match self {
                    $(Self::$variant => $statement,)*
                }
            }
        }
    };
}

invariants! {
    LedgerBalanced, "ledger.balanced", "debits equal credits in each currency of each shard";
    LedgerBalances, "ledger.balances", "each balance is the sum of its entries";
    LedgerPayments, "ledger.payments", "each payment's entries are its captures and refunds";
    PspAuthorized, "psp.authorized", "the psp authorized what each payment says, once";
    PspMoved, "psp.moved", "the psp captured, refunded and released what each payment says";
    PspKnown, "psp.known", "each operation at the psp belongs to a payment";
    PspKeys, "psp.keys", "the psp has one operation under each key";
    EventsComplete, "events.complete", "each change was told once, or waits in the outbox";
    EventsPublished, "events.published", "each event marked as published is in the log";
    EventsKnown, "events.known", "each event in the log is of a payment";
    EventsUnique, "events.unique", "no event is in the log twice";
    EventsOrdered, "events.ordered", "each payment's events are in the order in which they happened";
    PaymentAmounts, "payment.amounts", "each payment's amounts fit each other and its status";
    PaymentRefunds, "payment.refunds", "each payment's refunds add up to its amounts";
    PaymentRequests, "payment.requests", "each capture, void and refund has its request to the psp";
    PaymentShard, "payment.shard", "each payment, and all that is its, is on its merchant's shard";
    KeysPayments, "keys.payments", "each key belongs to one payment, and that payment to the key";
    KeysAnswers, "keys.answers", "each concluded operation has its answer under its key";
    TrailWhole, "trail.whole", "each operator's action is in the control store, as it was done";
    RowsReadable, "rows.readable", "each row can be read";
    StuckPayments, "stuck.payments", "no payment waits for the resolver beyond its time";
    StuckRequests, "stuck.requests", "no request to the psp waits beyond its time";
    StuckOutbox, "stuck.outbox", "no event waits in the outbox";
    StuckConsumers, "stuck.consumers", "no consumer group leaves an event waiting";
}

/// Something that is not as it is when all is done and well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub invariant: Invariant,
    /// Explained by work that is under way.
    pub is_in_flight: bool,
    /// What, named so that it can be found.
    pub text: String,
}

impl Finding {
    pub fn broken(invariant: Invariant, text: impl Into<String>) -> Self {
        Self { invariant, is_in_flight: false, text: text.into() }
    }

    pub fn in_flight(invariant: Invariant, text: impl Into<String>) -> Self {
        Self { invariant, is_in_flight: true, text: text.into() }
    }
}

#[derive(Debug, Clone, Default)]
struct Line {
    broken: u64,
    in_flight: u64,
    broken_examples: Vec<String>,
    in_flight_examples: Vec<String>,
    /// Why nothing can be said of it.
    unchecked: Option<String>,
}

/// The outcome of an audit.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether what is under way counts as broken.
    settled: bool,
    examples: usize,
    lines: Vec<Line>,
    payments: u64,
    payments_in_flight: u64,
    actions: u64,
}

impl Report {
    pub(super) fn new(settled: bool, examples: usize) -> Self {
        let lines = vec![Line::default(); Invariant::ALL.len()];
        Self { settled, examples, lines, payments: 0, payments_in_flight: 0, actions: 0 }
    }

    pub(super) fn note(&mut self, finding: Finding) {
        let line = &mut self.lines[finding.invariant as usize];
        let (count, examples) = if finding.is_in_flight && !self.settled {
            (&mut line.in_flight, &mut line.in_flight_examples)
        } else {
            (&mut line.broken, &mut line.broken_examples)
        };
        *count += 1;
        if examples.len() < self.examples {
            examples.push(finding.text);
        }
    }

    /// Notes what was found about one payment.
    pub(super) fn note_payment(&mut self, findings: Vec<Finding>) {
        self.payments += 1;
        self.payments_in_flight += u64::from(findings.iter().any(|finding| finding.is_in_flight));
        findings.into_iter().for_each(|finding| self.note(finding));
    }

    /// Notes that nothing can be said of an invariant.
    pub(super) fn leave_unchecked(&mut self, invariant: Invariant, why: &str) {
        self.lines[invariant as usize].unchecked = Some(why.to_owned());
    }

    /// Why nothing can be said of an invariant; none if it was checked.
    pub fn unchecked(&self, invariant: Invariant) -> Option<&str> {
        self.lines[invariant as usize].unchecked.as_deref()
    }

    fn is_any_unchecked(&self) -> bool {
        self.lines.iter().any(|line| line.unchecked.is_some())
    }

    pub(super) fn count_actions(&mut self, actions: u64) {
        self.actions += actions;
    }

    /// Actions of operators that the control store has.
    pub fn actions(&self) -> u64 {
        self.actions
    }

    /// Payments that were looked at.
    pub fn payments(&self) -> u64 {
        self.payments
    }

    /// Payments of which something is under way.
    pub fn payments_in_flight(&self) -> u64 {
        self.payments_in_flight
    }

    /// How often an invariant is broken.
    pub fn broken(&self, invariant: Invariant) -> u64 {
        self.lines[invariant as usize].broken
    }

    /// How often an invariant waits for work that is under way.
    pub fn in_flight(&self, invariant: Invariant) -> u64 {
        self.lines[invariant as usize].in_flight
    }

    /// What breaks an invariant: as many examples as were asked for.
    pub fn examples(&self, invariant: Invariant) -> &[String] {
        &self.lines[invariant as usize].broken_examples
    }

    /// Everything that is broken, by name.
    pub fn broken_names(&self) -> BTreeSet<&'static str> {
        Invariant::ALL.iter().filter(|invariant| self.broken(**invariant) > 0).map(|broken| broken.name()).collect()
    }

    fn broken_in_all(&self) -> u64 {
        self.lines.iter().map(|line| line.broken).sum()
    }

    /// Whether everything was checked and nothing is broken.
    pub fn is_clean(&self) -> bool {
        self.broken_in_all() == 0 && !self.is_any_unchecked()
    }

    /// 1 if something is broken, else 2 if something could not be checked, else 0.
    pub fn exit_code(&self) -> ExitCode {
        match self.broken_in_all() {
            0 if self.is_any_unchecked() => ExitCode::from(2),
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }

    /// The report for programs.
    pub fn to_json(&self) -> Value {
        let invariants: Vec<Value> = Invariant::ALL
            .iter()
            .map(|invariant| {
                let line = &self.lines[*invariant as usize];
                json!({
                    "name": invariant.name(),
                    "statement": invariant.statement(),
                    "broken": line.broken,
                    "inFlight": line.in_flight,
                    "unchecked": line.unchecked,
                    "brokenExamples": line.broken_examples,
                    "inFlightExamples": line.in_flight_examples,
                })
            })
            .collect();
        json!({
            "clean": self.is_clean(),
            "broken": self.broken_in_all(),
            "payments": self.payments,
            "inFlight": self.payments_in_flight,
            "operatorActions": self.actions,
            "invariants": invariants,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<7} {:<18} {:>8} {:>9}  what must hold", "", "invariant", "broken", "in flight")?;
        for invariant in Invariant::ALL {
            let line = &self.lines[*invariant as usize];
            let word = match &line.unchecked {
                _ if line.broken > 0 => "BROKEN",
                Some(_) => "UNKNOWN",
                None => "ok",
            };
            let (name, statement) = (invariant.name(), invariant.statement());
            writeln!(f, "{word:<7} {name:<18} {:>8} {:>9}  {statement}", line.broken, line.in_flight)?;
            if let Some(why) = &line.unchecked {
                writeln!(f, "          could not be checked: {why}")?;
            }
            for example in &line.broken_examples {
                writeln!(f, "          {example}")?;
            }
            let unnamed = line.broken.saturating_sub(line.broken_examples.len() as u64);
            if unnamed > 0 {
                writeln!(f, "          and {unnamed} more")?;
            }
        }
        writeln!(f, "{} actions of operators are in the control store", self.actions)?;
        if self.is_clean() {
            write!(f, "audit: clean, {} payments, {} in flight", self.payments, self.payments_in_flight)
        } else {
            let rest = if self.is_any_unchecked() { ", and not everything could be checked" } else { "" };
            write!(f, "audit: {} broken{rest}", self.broken_in_all())
        }
    }
}

/// Begins a finding's text about a payment.
pub(super) fn of(id: PaymentId, what: impl fmt::Display) -> String {
    format!("{id}: {what}")
}
