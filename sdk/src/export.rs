//! The code behind the macros: exports a rule or an alerter through the contract.
use std::cell::RefCell;
use std::marker::PhantomData;

use crate::run::parse;
use crate::schema::schema;
use crate::wire::alerter::exports::watchbell::plugin::alerter as alerter_wire;
use crate::wire::rule::exports::watchbell::plugin::rule as rule_wire;
use crate::wire::types as wire;
use crate::{Alerter, Call, Context, Duration, Fault, Problem, Rule, Run, Window, layout, log};

/// The content of a custom section: `text`, whose length is `N`.
pub const fn section<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut index = 0;
    while index < N {
        bytes[index] = text.as_bytes()[index];
        index += 1;
    }
    bytes
}

/// A rule, as the contract's `rule` interface.
pub struct RuleModule<R>(PhantomData<R>);

/// A rule's run, as the contract's `run` resource.
pub struct RunResource<R: Rule>(RefCell<RunState<R>>);

enum RunState<R: Rule> {
    Open(Box<Run<R>>),
    Finished,
}

impl<R: Rule> rule_wire::Guest for RuleModule<R> {
    type Run = RunResource<R>;

    fn describe() -> wire::About {
        log::panics();
        about::<R>()
    }

    fn prepare(params: String, context: wire::Context) -> Result<wire::Plan, Vec<wire::Fault>> {
        log::panics();
        let context = Context::from_wire(context);
        let plan = parse::<R>(&params).map_err(Vec::from).and_then(|rule| rule.plan(&context));
        match plan {
            Ok(plan) => {
                Ok(wire::Plan { history: plan.history.millis(), grid: plan.grid.map(Duration::millis) })
            }
            Err(faults) => Err(faults.into_iter().map(Fault::into_wire).collect()),
        }
    }
}

impl<R: Rule> rule_wire::GuestRun for RunResource<R> {
    fn start(call: wire::Call) -> Result<rule_wire::Run, wire::Problem> {
        log::panics();
        let context = Context::from_wire(call.context);
        let window = Window::from_wire(call.window);
        let call = Call { params: &call.params, context: &context, state: call.state.as_deref(), window };
        let run = Run::<R>::start(call).map_err(Problem::into_wire)?;
        Ok(rule_wire::Run::new(Self(RefCell::new(RunState::Open(Box::new(run))))))
    }

    fn questions(&self) -> Result<Option<wire::Round>, wire::Problem> {
        self.open(|run| Ok(run.questions().map(crate::Round::into_wire)))
    }

    fn answer(&self, question: u32, page: wire::Rows) -> Result<(), wire::Problem> {
        self.open(|run| run.answer(question as usize, &page))
    }

    fn snapshot(&self) -> Result<Vec<u8>, wire::Problem> {
        self.open(Run::snapshot)
    }

    fn finish(&self) -> Result<wire::Finding, wire::Problem> {
        match self.0.replace(RunState::Finished) {
            RunState::Open(run) => Ok(wire::Finding {
                signals: run.finish().into_iter().map(crate::Signal::into_wire).collect(),
            }),
            RunState::Finished => Err(finished()),
        }
    }
}

impl<R: Rule> RunResource<R> {
    fn open<T>(&self, work: impl FnOnce(&mut Run<R>) -> Result<T, Problem>) -> Result<T, wire::Problem> {
        match &mut *self.0.borrow_mut() {
            RunState::Open(run) => work(run).map_err(Problem::into_wire),
            RunState::Finished => Err(finished()),
        }
    }
}

fn finished() -> wire::Problem {
    wire::Problem::Other("the run is finished".into())
}

pub(crate) fn about<R: Rule>() -> wire::About {
    wire::About {
        name: R::NAME.into(),
        version: R::VERSION.into(),
        summary: R::SUMMARY.into(),
        params_schema: schema::<R>(),
        state_version: R::STATE_VERSION,
        state_layout: layout::layout::<R::State>(),
    }
}

impl Fault {
    pub(crate) fn into_wire(self) -> wire::Fault {
        wire::Fault { path: self.path, message: self.message }
    }
}

impl Problem {
    pub(crate) fn into_wire(self) -> wire::Problem {
        match self {
            Self::Rows(message) => wire::Problem::Rows(message),
            Self::State(message) => wire::Problem::State(message),
            Self::Other(message) => wire::Problem::Other(message),
        }
    }
}

/// An alerter, as the contract's `alerter` interface.
pub struct AlerterModule<A>(PhantomData<A>);

impl<A: Alerter> alerter_wire::Guest for AlerterModule<A> {
    fn describe() -> alerter_wire::About {
        log::panics();
        alerter_wire::About {
            name: A::NAME.into(),
            version: A::VERSION.into(),
            products: A::products().into_iter().map(crate::Product::into_wire).collect(),
        }
    }

    fn prepare(destination: alerter_wire::Destination) -> Result<(), Vec<wire::Fault>> {
        log::panics();
        let checked = A::prepare(&destination.product, &destination.params);
        checked.map_err(|faults| faults.into_iter().map(Fault::into_wire).collect())
    }

    fn deliver(delivery: alerter_wire::Delivery) -> Result<alerter_wire::Receipt, alerter_wire::Refusal> {
        log::panics();
        let alerter_wire::Delivery { destination, intent } = delivery;
        A::deliver(&destination.product, &destination.params, intent).map_err(crate::AlertRefusal::into_wire)
    }
}

/// Exports a rule from its module. [`rule`](macro@crate::rule) does it for you.
#[macro_export]
macro_rules! export_rule {
    ($rule:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "exports and custom sections are declared with unsafe attributes")]
        const _: () = {
            type Module = $crate::export::RuleModule<$rule>;
    $crate::wire::rule::export_rule_component!(Module with_types_in $crate::wire::rule);
            $crate::sdk_section!();
        };
    };
}

/// Exports an alerter from its module. [`alerter`](macro@crate::alerter) does it for you.
#[macro_export]
macro_rules! export_alerter {
    ($alerter:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "exports and custom sections are declared with unsafe attributes")]
        const _: () = {
            type Module = $crate::export::AlerterModule<$alerter>;
    $crate::wire::alerter::export_alerter_component!(Module with_types_in $crate::wire::alerter);
            $crate::sdk_section!();
        };
    };
}

/// The versions of the contract and the SDK, in sections that the host reads before it compiles the module.
#[doc(hidden)]
#[macro_export]
macro_rules! sdk_section {
    () => {
        #[used]
        #[unsafe(link_section = "watchbell:contract")]
        static CONTRACT: [u8; $crate::CONTRACT.len()] = $crate::export::section($crate::CONTRACT);
        #[used]
        #[unsafe(link_section = "watchbell:sdk")]
        static SDK: [u8; $crate::VERSION.len()] = $crate::export::section($crate::VERSION);
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CONTRACT;

    #[test]
    fn the_section_holds_the_contracts_version() {
        let wit = include_str!("../wit/watchbell.wit");
        let package = wit.lines().find_map(|line| line.strip_prefix("package watchbell:plugin@"));
        assert_eq!(package.and_then(|rest| rest.strip_suffix(';')), Some(CONTRACT));
        assert_eq!(section(CONTRACT), *b"0.2.0");
    }
}
