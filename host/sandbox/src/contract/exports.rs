//! The calls that the host makes to a module, for any version of the contract.
use futures::future::BoxFuture;
use wasmtime::component::{InstancePre, ResourceAny};
use wasmtime::{Result, Store};
use watchbell_contract::{
    About, AlerterAbout, Call, Context, Fault, Intent, Plan, Problem, Receipt, Refusal, Round, Signal,
};
use watchbell_rows::GroupedRows;

use crate::guest::Guest;

/// How to call modules of one version.
pub(crate) struct Contract {
    /// One of `versions::OFFERED`.
    pub(crate) version: &'static str,
    pub(crate) rule: fn(InstancePre<Guest>) -> Result<Box<dyn RuleExports>>,
    pub(crate) alerter: fn(InstancePre<Guest>) -> Result<Box<dyn AlerterExports>>,
}

/// The resolved exports of a rule.
pub(crate) trait RuleExports: Send + Sync {
    fn instantiate(&self, store: &mut Store<Guest>) -> Result<Box<dyn RuleInstance>>;
}

/// A rule in its own instance. The outer error of each call is what ended the guest.
pub(crate) trait RuleInstance: Send + Sync {
    fn describe(&self, store: &mut Store<Guest>) -> Result<About>;
    fn prepare(
        &self,
        store: &mut Store<Guest>,
        params: &str,
        context: &Context,
    ) -> Result<Result<Plan, Vec<Fault>>>;
    fn start(&self, store: &mut Store<Guest>, call: &Call<'_>) -> Result<Result<ResourceAny, Problem>>;
    fn questions(&self, store: &mut Store<Guest>, run: ResourceAny)
    -> Result<Result<Option<Round>, Problem>>;
    fn answer(
        &self,
        store: &mut Store<Guest>,
        run: ResourceAny,
        question: u32,
        page: GroupedRows,
    ) -> Result<Result<(), Problem>>;
    fn snapshot(&self, store: &mut Store<Guest>, run: ResourceAny) -> Result<Result<Vec<u8>, Problem>>;
    /// Labels get the names of the key fields, in the key's order; their number is as the guest returned it.
    fn finish(
        &self,
        store: &mut Store<Guest>,
        run: ResourceAny,
        key: &[String],
    ) -> Result<Result<Vec<Signal>, Problem>>;
}

/// The resolved exports of an alerter. Its calls wait for its receiver.
pub(crate) trait AlerterExports: Send + Sync {
    fn instantiate<'a>(
        &'a self,
        store: &'a mut Store<Guest>,
    ) -> BoxFuture<'a, Result<Box<dyn AlerterInstance>>>;
}

/// An alerter in its own instance. The outer error of each call is what ended the guest.
pub(crate) trait AlerterInstance: Send + Sync {
    fn describe<'a>(&'a self, store: &'a mut Store<Guest>) -> BoxFuture<'a, Result<AlerterAbout>>;
    fn prepare<'a>(
        &'a self,
        store: &'a mut Store<Guest>,
        product: &'a str,
        params: &'a str,
    ) -> BoxFuture<'a, Result<Result<(), Vec<Fault>>>>;
    fn deliver<'a>(
        &'a self,
        store: &'a mut Store<Guest>,
        product: &'a str,
        params: &'a str,
        intent: &'a Intent,
    ) -> BoxFuture<'a, Result<Result<Receipt, Refusal>>>;
}
