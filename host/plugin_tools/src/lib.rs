//! Tools for plugin authors: create projects, build them, run their tests, sign and publish modules. Running a module
//! is up to the sandbox. Nothing here depends on wasmtime, so it builds in seconds.
mod name; // what a plugin may be called
mod template; // the files of a new project
mod project; // a plugin's folder, as it is found
mod files; // when files were written
mod process; // child processes, and what they say while they run
mod toolchain; // a way to build for wasm
mod advice; // what authors are told about their sources
mod component; // a core module becomes a component
mod python; // an interpreter, and what makes components of rules in Python
mod build; // from the sources to the component's bytes
mod native; // the project's own tests
pub mod signature; // who vouches for a module
pub mod registry; // modules in OCI registries, and those fetched from there

pub use build::{BuildFault, Built, build};
pub use component::EncodeFault;
pub use name::{Name, NameFault};
pub use native::test;
pub use process::{ProcessFault, Progress, ProgressReporter};
pub use project::{Language, Project, ProjectFault};
pub use template::{NewFault, PluginKind, Sdk, create};
pub use toolchain::{Toolchain, ToolchainFault};
