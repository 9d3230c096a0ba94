use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Bench, has, skipped};

/// Debian's docker-registry on a port of its choice, until it is dropped.
struct Registry {
    child: Child,
    address: String,
}

impl Registry {
    fn start(folder: &Path, test: &str) -> Option<Self> {
        Self::start_with(folder, "", test)
    }

    /// With more in its configuration.
    fn start_with(folder: &Path, more: &str, test: &str) -> Option<Self> {
        if !has("docker-registry", test) {
            return None;
        }
        let config = folder.join("registry.yml");
        let data = folder.join("registry");
        let text = format!(
            "version: 0.1\nlog: {{ level: info, formatter: text }}\nstorage: {{ filesystem: {{ rootdirectory: {data:?} }} }}\n\
             http: {{ addr: \"127.0.0.1:0\" }}\n{more}\n"
        );
        fs::write(&config, text).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("listening on ")?;
            Some(rest.split(['"', ' ', ',']).next()?.to_owned())
        });
        // It stops when nobody reads what it logs.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Some(Self { child, address: address.expect("docker-registry tells where it listens") })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A component that is built already.
fn component(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("WATCHBELL_PLUGINS").map(PathBuf::from);
    let file = folder.map(|folder| folder.join("rule-any.wasm")).filter(|file| file.exists());
    if file.is_none() {
        skipped(test, "run cargo xtask plugins");
    }
    file
}

const ENVIRONMENT: &str = "clusters: { main: { nodes: [\"http://127.0.0.1:9\"] } }\n\
     destinations: { hook: { use: webhook, url: \"http://127.0.0.1:9/\" } }\n";

fn manifest(bench: &Bench, module: &str, environment: &str) {
    let rules = bench.path("rules");
    fs::create_dir_all(rules.join("environments")).unwrap();
    fs::write(rules.join("environments/default.yaml"), format!("{ENVIRONMENT}{environment}")).unwrap();
    let text = format!("name: every-login\n{module}\nindex: logs-*\nevery: 1m\nalert: {{ to: [hook] }}\n");
    fs::write(rules.join("every-login.yaml"), text).unwrap();
}

#[test]
fn a_module_is_pushed_fetched_by_digest_and_used_offline() {
    const TEST: &str = "a module in docker-registry";
    let scratch = tempfile::tempdir().unwrap();
    let bench = Bench::new(scratch.path());
    let Some(file) = component(TEST) else { return };
    let Some(registry) = Registry::start(scratch.path(), TEST) else { return };
    let file = file.display().to_string();
    let tag = format!("{}/rules/every:1.0", registry.address);
    let pushed = bench.call(&["plugin", "push", &file, &tag]).well();
    let pinned = pushed.field("use");
    assert!(pinned.starts_with(&format!("oci://{}/rules/every@sha256:", registry.address)), "{pinned}");
    // The same module makes the same manifest: who pushes again moves nothing.
    assert_eq!(bench.call(&["plugin", "push", &file, &tag]).well().field("use"), pinned);

    // A tag is refused in a manifest, with the way to its digest.
    manifest(&bench, &format!("use: oci://{tag}"), "");
    let refused = bench.call(&["check"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains(&format!("watchbell plugin pull {tag}")), "{}", refused.err);
    let out = bench.path("pulled.wasm").display().to_string();
    let pulled = bench.call(&["plugin", "pull", &tag, "--out", &out]).well();
    assert_eq!((pulled.field("use"), pulled.field("sha256")), (pinned.clone(), pushed.field("sha256")));
    assert_eq!(fs::read(&out).unwrap(), fs::read(&file).unwrap());

    // `check` fetches what is not there yet.
    fs::remove_dir_all(bench.caches().join("watchbell/registry")).unwrap();
    manifest(&bench, &format!("use: {pinned}"), "");
    bench.call(&["check"]).well();

    // From then on the registry may be gone.
    let address = registry.address.clone();
    drop(registry);
    bench.call(&["check"]).well();
    let modules = bench.caches().join("watchbell/registry/sha256");
    fs::write(modules.join(pushed.field("sha256")), "something else").unwrap();
    let damaged = bench.call(&["check"]);
    assert_eq!(damaged.code, 1);
    assert!(damaged.err.contains(&format!("`{address}` cannot be reached")), "{}", damaged.err);
    assert!(damaged.err.contains("every-login.yaml:2:6"), "{}", damaged.err);
}

/// `ops` and `opensesame`, as `htpasswd -B` writes them.
const HTPASSWD: &str = "ops:$2b$04$SBVtzojozxywbfHxttGW4uDaPwV20rSS5k5Ea/jeqijKdZJUirzt6\n";

#[test]
fn credentials_come_from_the_environment_or_from_docker() {
    const TEST: &str = "credentials for docker-registry";
    let scratch = tempfile::tempdir().unwrap();
    let bench = Bench::new(scratch.path());
    let Some(file) = component(TEST) else { return };
    let passwords = bench.path("htpasswd");
    fs::write(&passwords, HTPASSWD).unwrap();
    let auth = format!("auth: {{ htpasswd: {{ realm: watchbell, path: {passwords:?} }} }}");
    let Some(registry) = Registry::start_with(scratch.path(), &auth, TEST) else { return };
    let (file, tag) = (file.display().to_string(), format!("{}/rules/every:1.0", registry.address));

    let nobody = bench.call(&["plugin", "push", &file, &tag]);
    assert_eq!(nobody.code, 1);
    for part in [&*format!("docker login {}", registry.address), "WATCHBELL_REGISTRY_USERNAME"] {
        assert!(nobody.err.contains(part), "{part} is missing in {}", nobody.err);
    }
    let with = |host: &str, password: &str| {
        let variables = [
            ("WATCHBELL_REGISTRY", host),
            ("WATCHBELL_REGISTRY_USERNAME", "ops"),
            ("WATCHBELL_REGISTRY_PASSWORD", password),
        ];
        bench.call_with("", &variables, &["plugin", "push", &file, &tag])
    };
    assert_eq!(with(&registry.address, "wrong").code, 1);
    // Credentials are for the host that they name, whatever a reference says.
    assert_eq!(with("registry.example.com", "opensesame").code, 1);
    with(&registry.address, "opensesame").well();

    fs::create_dir_all(bench.path("docker")).unwrap();
    let config =
        format!("{{\"auths\": {{\"{}\": {{\"auth\": \"b3BzOm9wZW5zZXNhbWU=\"}}}}}}", registry.address);
    fs::write(bench.path("docker/config.json"), config).unwrap();
    bench.call(&["plugin", "pull", &tag]).well();
    let other = bench.call(&["plugin", "pull", &format!("{}/rules/other:1.0", registry.address)]);
    assert!(other.code == 1 && other.err.contains("is not in the registry"), "{other:?}");
}

#[test]
fn only_modules_that_are_listed_or_signed_may_run() {
    const TEST: &str = "signed modules in docker-registry";
    if !has("openssl", TEST) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let bench = Bench::new(scratch.path());
    let Some(file) = component(TEST) else { return };
    let Some(registry) = Registry::start(scratch.path(), TEST) else { return };
    let key = bench.path("key.pem").display().to_string();
    let openssl = |args: &[&str]| Command::new("openssl").args(args).output().expect("openssl runs");
    assert!(openssl(&["genpkey", "-algorithm", "ed25519", "-out", &key]).status.success());
    let public = String::from_utf8(openssl(&["pkey", "-in", &key, "-pubout"]).stdout).unwrap();
    let public = public.lines().nth(1).expect("the key's line").to_owned();

    let tag = format!("{}/rules/every:1.0", registry.address);
    let file = file.display().to_string();
    let unsigned = bench.call(&["plugin", "push", &file, &tag]).well();
    let signed = bench.call(&["plugin", "push", &file, &tag, "--sign", &key]).well();
    assert!(public.ends_with(&signed.field("signed")), "{}", signed.out);
    let digest = signed.field("sha256");
    let keys = format!("plugins: {{ keys: [\"{public}\"] }}\n");

    manifest(&bench, &format!("use: {}", signed.field("use")), &keys);
    bench.call(&["check"]).well();
    manifest(&bench, &format!("use: {}", unsigned.field("use")), &keys);
    let refused = bench.call(&["check"]);
    assert_eq!(refused.code, 1);
    for part in ["is not allowed in environment `default`", &digest, "it is not signed", "plugins.allow"] {
        assert!(refused.err.contains(part), "{part} is missing in {}", refused.err);
    }
    manifest(
        &bench,
        &format!("use: {}", unsigned.field("use")),
        &format!("plugins: {{ allow: [sha256:{digest}] }}\n"),
    );
    bench.call(&["check"]).well();

    // A file stands under the same rule; its signatures lie beside it.
    fs::copy(&file, bench.path("rules/every.wasm")).unwrap();
    let by_file = format!("use: ./every.wasm\nsha256: {digest}");
    manifest(&bench, &by_file, &keys);
    assert_eq!(bench.call(&["check"]).code, 1);
    bench.call(&["plugin", "sign", "rules/every.wasm", "--key", &key]).well();
    bench.call(&["check"]).well();
    // What is built in belongs to the program.
    manifest(&bench, "use: any", "plugins: {}\n");
    bench.call(&["check"]).well();
}
