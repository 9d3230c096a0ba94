//! A rule of the contract 0.2.
use wasmtime::component::{InstancePre, ResourceAny};
use wasmtime::{Result, Store};
use watchbell_contract::{About, Call, Context, Fault, Plan, Problem, Round, Signal};
use watchbell_rows::GroupedRows;

use super::bindings::RuleComponent;
use super::bindings::rule::RuleComponentPre;
use super::convert;
use crate::contract::exports::{RuleExports, RuleInstance};
use crate::guest::Guest;

pub(super) fn exports(pre: InstancePre<Guest>) -> Result<Box<dyn RuleExports>> {
    Ok(Box::new(RuleComponentPre::new(pre)?))
}

impl RuleExports for RuleComponentPre<Guest> {
    fn instantiate(&self, store: &mut Store<Guest>) -> Result<Box<dyn RuleInstance>> {
        Ok(Box::new(RuleComponentPre::instantiate(self, store)?))
    }
}

impl RuleInstance for RuleComponent {
    fn describe(&self, store: &mut Store<Guest>) -> Result<About> {
        self.watchbell_plugin_rule().call_describe(store).map(convert::about)
    }

    fn prepare(
        &self,
        store: &mut Store<Guest>,
        params: &str,
        context: &Context,
    ) -> Result<Result<Plan, Vec<Fault>>> {
        let context = convert::context(context);
        let verdict = self.watchbell_plugin_rule().call_prepare(store, params, &context)?;
        Ok(verdict.map(convert::plan).map_err(convert::faults))
    }

    fn start(&self, store: &mut Store<Guest>, call: &Call<'_>) -> Result<Result<ResourceAny, Problem>> {
        let call = convert::call(call);
        let started = self.watchbell_plugin_rule().run().call_start(store, &call)?;
        Ok(started.map_err(convert::problem))
    }

    fn questions(
        &self,
        store: &mut Store<Guest>,
        run: ResourceAny,
    ) -> Result<Result<Option<Round>, Problem>> {
        let round = self.watchbell_plugin_rule().run().call_questions(store, run)?;
        Ok(round.map(|round| round.map(convert::round)).map_err(convert::problem))
    }

    fn answer(
        &self,
        store: &mut Store<Guest>,
        run: ResourceAny,
        question: u32,
        page: GroupedRows,
    ) -> Result<Result<(), Problem>> {
        let page = convert::rows(page);
        let answered = self.watchbell_plugin_rule().run().call_answer(store, run, question, &page)?;
        Ok(answered.map_err(convert::problem))
    }

    fn snapshot(&self, store: &mut Store<Guest>, run: ResourceAny) -> Result<Result<Vec<u8>, Problem>> {
        let taken = self.watchbell_plugin_rule().run().call_snapshot(store, run)?;
        Ok(taken.map_err(convert::problem))
    }

    fn finish(
        &self,
        store: &mut Store<Guest>,
        run: ResourceAny,
        key: &[String],
    ) -> Result<Result<Vec<Signal>, Problem>> {
        let finished = self.watchbell_plugin_rule().run().call_finish(store, run)?;
        Ok(finished.map(|finding| convert::signals(finding, key)).map_err(convert::problem))
    }
}
