//! The project's own tests, without WebAssembly.
use crate::build::install;
use crate::process::{ProcessFault, ProgressReporter, cargo, plain, run};
use crate::{Language, Project, python};

/// Runs `cargo test`, `npm test` or `python -m unittest`, and returns a summary.
///
/// # Errors
/// A test failed, or the tests could not run.
pub fn test(project: &Project, progress: &mut ProgressReporter<'_>) -> Result<String, ProcessFault> {
    match project.language {
        Language::Rust => {
            let said = run(cargo(&project.folder).arg("test"), "cargo test", progress)?;
            Ok(format!("cargo test: {} passed", counted(&said, "test result: ok. ")))
        }
        Language::JavaScript => {
            // The tests may use packages too.
            install(project, progress)?;
            let said = run(plain("npm", &project.folder).args(["test", "--silent"]), "npm test", progress)?;
            let count = counted(&said, "# pass ") + counted(&said, "ℹ pass ");
            Ok(if count == 0 { "npm test: passed".into() } else { format!("npm test: {count} passed") })
        }
        Language::Python => {
            let said = python::unittest(&project.folder, progress)?;
            Ok(format!("unittest: {} passed", counted(&said, "Ran ")))
        }
    }
}

/// The sum of the numbers after `before` at a line's beginning.
fn counted(said: &str, before: &str) -> u64 {
    let numbers = said.lines().filter_map(|line| line.strip_prefix(before));
    numbers.filter_map(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn results_are_added_up() {
        let said =
            "running 2 tests\ntest result: ok. 2 passed; 0 failed\n\ntest result: ok. 1 passed; 0 failed\n";
        assert_eq!(counted(said, "test result: ok. "), 3);
        assert_eq!(counted("# tests 6\n# pass 6\n# fail 0\n", "# pass "), 6);
    }
}
