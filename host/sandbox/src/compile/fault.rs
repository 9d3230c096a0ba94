use std::time::Duration;

use crate::bytes::Size;

/// Why a module was not compiled, although it may be valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileFault {
    #[error("it took more than the {} of CPU time that compiling a module may take: {SMALLER}, or set WATCHBELL_COMPILE_TIME", span(*.0))]
    Cpu(Duration),
    #[error("it took longer than the {} that compiling a module may take: run it where more CPU is free, or set WATCHBELL_COMPILE_TIME", span(*.0))]
    Wall(Duration),
    #[error("it took more than the {} of memory that compiling a module may take: {SMALLER}, or set WATCHBELL_COMPILE_MEMORY", Size(usize::try_from(*.0).unwrap_or(usize::MAX)))]
    Memory(u64),
    #[error("its code would have more than the {} that compiled code may have: {SMALLER}", Size(*.0))]
    Output(usize),
    #[error("the compiler was killed: the machine may have run out of memory")]
    Killed,
    #[error("the compiler crashed ({0}): the module may have been made to do that")]
    Crashed(String),
    #[error("the compiler's answer is not one: {0}")]
    Answer(&'static str),
    #[error("the compiler's process cannot be started: {0}")]
    Start(String),
}

impl CompileFault {
    /// Whether the module, under the same limits, would end so again; if not, the machine's state played a part.
    pub(super) fn is_the_modules_own(&self) -> bool {
        match self {
            Self::Cpu(_) | Self::Memory(_) | Self::Output(_) | Self::Crashed(_) => true,
            Self::Wall(_) | Self::Killed | Self::Answer(_) | Self::Start(_) => false,
        }
    }
}

const SMALLER: &str = "make it smaller, above all its largest functions";

fn span(span: Duration) -> watchbell_contract::Duration {
    span.into()
}
