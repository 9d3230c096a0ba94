//! A rule of the contract 0.1.
use wasmtime::component::{InstancePre, ResourceAny};
use wasmtime::{Result, Store};
use watchbell_contract::{About, Fault, Finding, Plan, Problem, Question, Rows, Window};

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
        key: &[String],
    ) -> Result<Result<Plan, Vec<Fault>>> {
        let verdict = self.watchbell_plugin_rule().call_prepare(store, params, key)?;
        Ok(verdict.map(convert::plan).map_err(convert::faults))
    }

    fn start(
        &self,
        store: &mut Store<Guest>,
        params: &str,
        key: &[String],
        state: Option<&[u8]>,
        window: Window,
    ) -> Result<Result<ResourceAny, Problem>> {
        let window = convert::window(window);
        let started = self.watchbell_plugin_rule().run().call_start(store, params, key, state, window)?;
        Ok(started.map_err(convert::problem))
    }

    fn questions(&self, store: &mut Store<Guest>, run: ResourceAny) -> Result<Vec<Question>> {
        let questions = self.watchbell_plugin_rule().run().call_questions(store, run)?;
        Ok(questions.into_iter().map(convert::question).collect())
    }

    fn answer(
        &self,
        store: &mut Store<Guest>,
        run: ResourceAny,
        question: u32,
        page: Rows,
    ) -> Result<Result<(), Problem>> {
        let page = convert::rows(page);
        let answered = self.watchbell_plugin_rule().run().call_answer(store, run, question, &page)?;
        Ok(answered.map_err(convert::problem))
    }

    fn finish(&self, store: &mut Store<Guest>, run: ResourceAny) -> Result<Result<Finding, Problem>> {
        let finished = self.watchbell_plugin_rule().run().call_finish(store, run)?;
        Ok(finished.map(convert::finding).map_err(convert::problem))
    }
}
