//! Texts, rendered by the built-in component that holds `watchbell-text`. Templates come from manifests and values from
//! documents, so each text gets an instance of its own, within limits that no manifest raises.
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{Engine, UpdateDeadline};
use watchbell_text::{Job, NotOfThisBuild, Rendered};

use crate::bytes::Size;
use crate::call::{self, Step};
use crate::fault::GuestFault;
use crate::guest::Guest;
use crate::inspect::LoadFault;
use crate::limits::{Limits, STACK_BYTES_MAX};

/// The export of the component.
const RENDER: &str = "render";

/// Renders texts. Cheap to clone; texts share only code.
#[derive(Clone)]
pub struct Renderer(Arc<Compiled>);

struct Compiled {
    engine: Engine,
    component: InstancePre<Guest>,
    render: ComponentExportIndex,
    tick: Duration,
}

/// Limits of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextLimits {
    /// CPU time of the thread, exact to one tick of the sandbox.
    pub time_max: Duration,
    /// Time by the wall clock, exact to one tick of the sandbox: on an overloaded machine CPU time may pass slowly.
    pub wall_time_max: Duration,
    /// Bytes of linear memory.
    pub memory_bytes_max: usize,
    /// Bytes of title and body together, as encoded.
    pub output_bytes_max: usize,
}

impl Default for TextLimits {
    fn default() -> Self {
        Self {
            time_max: Duration::from_millis(100),
            wall_time_max: Duration::from_secs(2),
            memory_bytes_max: 64 << 20,
            output_bytes_max: 256 << 10,
        }
    }
}

/// Why a text could not be rendered; its words follow `the text could not be rendered: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderFault {
    #[error(
        "it takes more than {} of CPU time; let its templates loop over less",
        watchbell_contract::Duration::from(*limit)
    )]
    OutOfTime { limit: Duration },
    #[error(
        "it was not done within {}, though it took little CPU time; is the machine overloaded?",
        watchbell_contract::Duration::from(*limit)
    )]
    TooSlow { limit: Duration },
    #[error("it takes more than {} of memory; let its templates make shorter values", Size(*limit))]
    OutOfMemory { limit: usize },
    #[error("it has more than {}; let its templates write less", Size(*limit))]
    TooLarge { limit: usize },
    #[error(
        "its call stack takes more than {}; let its templates nest less, and its macros call each other less",
        Size(STACK_BYTES_MAX)
    )]
    StackOverflow,
    #[error("its component trapped: {0}")]
    Trap(String),
    /// Not the doing of a template: the same text may be rendered later.
    #[error("the host could not run its component: {0}")]
    Host(String),
}

#[derive(Debug, thiserror::Error)]
#[error("the wall clock's limit has passed")]
struct TooLate;

impl Renderer {
    pub(crate) fn new(engine: &Engine, tick: Duration, component: &Component) -> Result<Self, LoadFault> {
        let misfit = |error: wasmtime::Error| LoadFault::Contract(format!("{error:#}"));
        let render = component.get_export_index(None, RENDER);
        let render = render.ok_or_else(|| LoadFault::Contract(format!("it does not export `{RENDER}`")))?;
        // A linker without anything: the component may import nothing.
        let component = Linker::new(engine).instantiate_pre(component).map_err(misfit)?;
        Ok(Self(Arc::new(Compiled { engine: engine.clone(), component, render, tick })))
    }

    /// Renders one text in a fresh instance, within the default limits. It computes for 100 ms at most and returns within
    /// 2 s, each exact to one tick, so call it on a thread that may block.
    ///
    /// # Errors
    /// The limit that the text exceeds, or how its component failed. `Job::plain` says that instead of the text.
    pub fn render(&self, job: &Job) -> Result<Rendered, RenderFault> {
        self.render_within(job, &TextLimits::default())
    }

    /// Like `render`, within other limits.
    ///
    /// # Errors
    /// Like `render`.
    pub fn render_within(&self, job: &Job, limits: &TextLimits) -> Result<Rendered, RenderFault> {
        let Compiled { engine, component, render, tick } = &*self.0;
        #[expect(clippy::disallowed_methods, reason = "the sandbox's own clock, independent of the shell's")]
        let start = Instant::now();
        let job = job.encode();
        let of_call = Limits {
            time_max: limits.time_max,
            memory_bytes_max: limits.memory_bytes_max,
            output_bytes_max: limits.output_bytes_max,
            ..Limits::default()
        };
        let mut store = call::store(engine, *tick, &of_call, Guest::new(&of_call, None));
        let (wall_time_max, tick) = (limits.wall_time_max, *tick);
        store.epoch_deadline_callback(move |store| {
            if start.elapsed() >= wall_time_max {
                return Err(TooLate.into());
            }
            // Each tick is looked at, because CPU time may pass more slowly than time.
            call::out_of_time(store.data()).map_or(Ok(UpdateDeadline::Continue(1)), Err)
        });
        call::enter(&mut store, tick);
        store.set_epoch_deadline(1);
        let instance = component.instantiate(&mut store);
        let (outcome, step) = match instance {
            Ok(instance) => {
                let called = instance
                    .get_typed_func::<(&[u8],), (Vec<u8>,)>(&mut store, render)
                    .and_then(|render| render.call(&mut store, (&job,)));
                (called, Step::Call)
            }
            Err(error) => (Err(error), Step::Start),
        };
        if outcome.as_ref().is_err_and(|error| error.is::<TooLate>()) {
            return Err(RenderFault::TooSlow { limit: wall_time_max });
        }
        let (text,) = call::leave(&mut store, outcome, step)?;
        if text.len() > limits.output_bytes_max {
            return Err(RenderFault::TooLarge { limit: limits.output_bytes_max });
        }
        Ok(Rendered::decode(&text)?)
    }
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renderer").finish_non_exhaustive()
    }
}

impl From<GuestFault> for RenderFault {
    fn from(fault: GuestFault) -> Self {
        match fault {
            GuestFault::OutOfTime { limit } => Self::OutOfTime { limit },
            GuestFault::OutOfMemory { limit } => Self::OutOfMemory { limit },
            GuestFault::OutputTooLarge { limit } => Self::TooLarge { limit },
            GuestFault::StackOverflow { .. } => Self::StackOverflow,
            GuestFault::Trap { message, .. } => Self::Trap(message),
            fault => Self::Host(fault.to_string()),
        }
    }
}

impl From<NotOfThisBuild> for RenderFault {
    fn from(fault: NotOfThisBuild) -> Self {
        Self::Host(fault.to_string())
    }
}
