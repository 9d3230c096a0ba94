//! Java for the real servers: JDK 17 for the old one, 21 or later for the current ones, Maven for their jars.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Jdk {
    pub(crate) home: PathBuf,
    pub(crate) major: u32,
}

pub(crate) struct Java {
    jdks: Vec<Jdk>,
    pub(crate) maven: Option<PathBuf>,
}

impl Java {
    /// Looks at `$JAVA_HOME`, at the folders where packages and sdkman put JDKs, and for `mvn` on the path.
    pub(crate) fn find() -> Java {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let mut homes: Vec<PathBuf> = std::env::var_os("JAVA_HOME").map(PathBuf::from).into_iter().collect();
        for folder in ["/usr/lib/jvm", "/opt", "/opt/java", "/usr/local", "/Library/Java/JavaVirtualMachines"]
        {
            homes.extend(children(Path::new(folder)));
        }
        homes.extend(children(&home.join(".sdkman/candidates/java")));
        homes.extend(children(&home.join(".jdks")));
        let mut jdks: Vec<Jdk> = Vec::new();
        for folder in homes.iter().flat_map(|home| [home.clone(), home.join("Contents/Home")]) {
            let Ok(home) = folder.canonicalize() else { continue };
            if !home.join("bin/javac").exists() || jdks.iter().any(|jdk| jdk.home == home) {
                continue;
            }
            if let Some(major) = major_of(&home) {
                jdks.push(Jdk { home, major });
            }
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let maven = std::env::split_paths(&path).map(|folder| folder.join("mvn")).find(|mvn| mvn.exists());
        Java { jdks, maven }
    }

    /// For Elasticsearch 7.10.2.
    pub(crate) fn seventeen(&self) -> Option<&Jdk> {
        self.jdks.iter().find(|jdk| jdk.major == 17)
    }

    /// For Elasticsearch 9 and OpenSearch 3: the newest release for the long term that was tried, else any later.
    pub(crate) fn current(&self) -> Option<&Jdk> {
        let tried = self.jdks.iter().find(|jdk| jdk.major == 25);
        tried.or_else(|| self.jdks.iter().filter(|jdk| jdk.major >= 21).min_by_key(|jdk| jdk.major))
    }
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    paths
}

fn major_of(home: &Path) -> Option<u32> {
    if let Ok(release) = fs::read_to_string(home.join("release"))
        && let Some(version) = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))
    {
        return parse_major(version.trim_matches('"'));
    }
    let output = Command::new(home.join("bin/javac")).arg("-version").stdin(Stdio::null()).output().ok()?;
    parse_major(String::from_utf8_lossy(&output.stdout).trim().strip_prefix("javac ")?)
}

/// `17.0.15` and `25` are 17 and 25, `1.8.0_412` is 8.
fn parse_major(version: &str) -> Option<u32> {
    let mut parts = version.split(['.', '_', '-', '+']).map(str::parse::<u32>);
    match parts.next()?.ok()? {
        1 => parts.next()?.ok(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_old_and_new() {
        assert_eq!(parse_major("17.0.15"), Some(17));
        assert_eq!(parse_major("25"), Some(25));
        assert_eq!(parse_major("26-ea"), Some(26));
        assert_eq!(parse_major("1.8.0_412"), Some(8));
        assert_eq!(parse_major("unknown"), None);
    }

    #[test]
    fn the_current_servers_take_the_tried_jdk_first() {
        let jdk = |major| Jdk { home: PathBuf::from(format!("/jdk{major}")), major };
        let java = |majors: &[u32]| Java { jdks: majors.iter().map(|m| jdk(*m)).collect(), maven: None };
        assert_eq!(java(&[17, 26, 25, 21]).current(), Some(&jdk(25)));
        assert_eq!(java(&[17, 26, 21]).current(), Some(&jdk(21)));
        assert_eq!(java(&[17]).current(), None);
        assert_eq!(java(&[21]).seventeen(), None);
    }
}
