//! Files that no repository should contain: too large, not text, link loops. The tests create them and check the
//! report.
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;
use watchbell_manifest::{Options, load};

mod fake;

const RULE: &str = "name: a\nuse: any\nindex: logs\nevery: 1m\nalert: { to: [ops-chat] }\n";
const ENVIRONMENT: &str = "\
clusters: { main: { nodes: [\"http://127.0.0.1:9200\"] } }
destinations: { ops-chat: { use: slack, url: \"http://127.0.0.1:9300/chat\" } }
";

fn bundle() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("environments")).unwrap();
    fs::write(root.path().join("environments/default.yaml"), ENVIRONMENT).unwrap();
    fs::write(root.path().join("rule.yaml"), RULE).unwrap();
    root
}

fn told(root: &Path, environment: &str) -> String {
    let options = Options { environment, token_overrides: &[], env: &|_| None, check_secrets: true };
    match load(root, &options, &fake::Fake) {
        Ok(bundle) => format!("{} rules", bundle.rules.len()),
        Err(report) => report.to_string().replace(&root.display().to_string(), "rules"),
    }
}

#[test]
fn a_file_of_100_mb_is_refused_by_its_size() {
    let root = bundle();
    File::create(root.path().join("large.yaml")).unwrap().set_len(100 * 1024 * 1024).unwrap();
    assert_eq!(
        told(root.path(), "default"),
        "error: rules/large.yaml: is larger than 1 MiB (100 MiB)\n\n\
         hint: a manifest holds one rule; keep other files out of the folder of rules"
    );
}

#[test]
fn bytes_that_are_not_utf8_are_told_with_their_offset() {
    let root = bundle();
    fs::write(root.path().join("latin.yaml"), b"name: a\nowner: caf\xe9\n").unwrap();
    assert_eq!(
        told(root.path(), "default"),
        "error: rules/latin.yaml:2:11: is not UTF-8: byte 18 is 0xe9\n\nhint: save the file as UTF-8"
    );
}

#[test]
fn an_environment_is_no_better_than_a_manifest() {
    let root = bundle();
    let path = root.path().join("environments/default.yaml");
    File::create(&path).unwrap().set_len(100 * 1024 * 1024).unwrap();
    assert_eq!(
        told(root.path(), "default"),
        "error: rules/environments/default.yaml: is larger than 1 MiB (100 MiB)\n\n\
         hint: a manifest holds one rule; keep other files out of the folder of rules"
    );
    fs::write(&path, b"clusters:\n  main: \xff\n").unwrap();
    assert_eq!(
        told(root.path(), "default"),
        "error: rules/environments/default.yaml:2:9: is not UTF-8: byte 18 is 0xff\n\nhint: save the file as UTF-8"
    );
}

#[test]
fn links_in_a_circle_are_told() {
    let root = bundle();
    fs::create_dir(root.path().join("web")).unwrap();
    symlink(root.path(), root.path().join("web/again")).unwrap();
    symlink(root.path().join("self.yaml"), root.path().join("self.yaml")).unwrap();
    assert_eq!(
        told(root.path(), "default"),
        "error: rules/self.yaml: is a symbolic link loop\n\n\
         hint: remove the link\n\n\
         error: rules/web/again: is a link to a folder that contains it\n\n\
         hint: remove the link; a folder of rules must not contain itself"
    );
}

#[test]
fn links_are_followed_within_the_folder_and_not_out_of_it() {
    let root = bundle();
    // As a volume of a ConfigMap has them.
    fs::create_dir(root.path().join("..data")).unwrap();
    fs::write(root.path().join("..data/b.yaml"), RULE.replace("name: a", "name: b")).unwrap();
    symlink("..data/b.yaml", root.path().join("b.yaml")).unwrap();
    assert_eq!(told(root.path(), "default"), "2 rules");
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("c.yaml"), RULE.replace("name: a", "name: c")).unwrap();
    symlink(other.path(), root.path().join("shared")).unwrap();
    assert_eq!(
        told(root.path(), "default"),
        "error: rules/shared: is a link that leads out of the folder\n\nhint: copy or mount what it leads to into the folder"
    );
}

#[test]
fn a_folder_and_a_dead_link_named_like_manifests_are_no_surprise() {
    let root = bundle();
    fs::create_dir(root.path().join("folder.yaml")).unwrap();
    fs::write(root.path().join("rule.test.yaml"), "not: a rule").unwrap();
    fs::write(root.path().join(".hidden.yaml"), "not: a rule").unwrap();
    assert_eq!(told(root.path(), "default"), "1 rules");
    symlink("/nowhere/at-all.yaml", root.path().join("dead.yaml")).unwrap();
    assert_eq!(
        told(root.path(), "default"),
        "error: rules/dead.yaml: cannot be read: no such file or directory"
    );
}

#[test]
fn an_environment_that_is_not_there_is_told_with_those_that_are() {
    let root = bundle();
    fs::write(root.path().join("environments/production.yaml"), "listen: 127.0.0.1:1\n").unwrap();
    assert_eq!(
        told(root.path(), "prodution"),
        "error: rules/environments/prodution.yaml: there is no environment `prodution`\n\n\
         hint: did you mean `production`?"
    );
    assert!(told(root.path(), "../../etc/passwd").contains("there is no environment"));
}

#[test]
fn a_thousand_faulty_rules_are_all_told_and_the_rest_counted() {
    let root = bundle();
    for index in 0..1_100 {
        fs::write(root.path().join(format!("r{index}.yaml")), format!("name: r{index}\nuse: any\n")).unwrap();
    }
    let text = told(root.path(), "default");
    assert_eq!(text.matches("`index` is missing").count(), 1_000);
    assert!(text.ends_with("and 100 more"), "{}", &text[text.len() - 60..]);
}

#[test]
fn a_folder_of_rules_that_is_not_there_is_one_fault_with_a_way_out() {
    let root = bundle();
    assert_eq!(
        told(&root.path().join("nowhere"), "default"),
        "error: rules: cannot be read: no such file or directory\n\n\
         hint: run this in its parent folder, or pass another folder of rules with `--rules DIR`"
    );
    fs::remove_file(root.path().join("environments/default.yaml")).unwrap();
    let told = told(root.path(), "default");
    assert!(
        told.contains("for example\nclusters: { main: { nodes: [\"http://localhost:9200\"] } }"),
        "{told}"
    );
}

/// What two names have in common takes the product of their lengths to find out, in time and in memory.
#[test]
fn names_of_any_length_and_number_are_told_in_bounded_time() {
    let root = bundle();
    let long = |letter: &str| letter.repeat(400_000);
    let defined = format!("{ENVIRONMENT}tokens: {{ {}: 1 }}\n", long("a"));
    fs::write(root.path().join("environments/default.yaml"), defined).unwrap();
    fs::write(root.path().join("rule.yaml"), format!("{RULE}owner: \"@@{}@@\"\n", long("b"))).unwrap();
    let report = told(root.path(), "default");
    assert!(report.contains("error: rules/rule.yaml") && report.contains("unknown token `bbbb"), "told");

    let many = |of: &dyn Fn(usize) -> String| (0..30_000).map(of).collect::<String>();
    let defined = many(&|n| format!("  defined-token-{n}: 1\n"));
    fs::write(root.path().join("environments/default.yaml"), format!("{ENVIRONMENT}tokens:\n{defined}"))
        .unwrap();
    let mentioned = many(&|n| format!("- \"@@mentioned-{n}@@\"\n"));
    fs::write(root.path().join("rule.yaml"), format!("{RULE}params:\n{mentioned}")).unwrap();
    let report = told(root.path(), "default");
    assert!(report.contains("the token `defined-token-0` is not used"), "told");
    let end = report.lines().last().unwrap_or_default();
    assert!(end.ends_with("and 59001 more"), "{end}");
}

/// As wide as a file may be: nothing may take the square of it.
#[test]
fn wide_documents_are_told_in_bounded_time() {
    let keys = |indent: &str| (0..45_000).map(|n| format!("{indent}k{n}: 1\n")).collect::<String>();
    for (rule, default, prod) in [
        (format!("{RULE}{}", keys("")), ENVIRONMENT.to_owned(), String::new()),
        (format!("{RULE}params:\n{}", keys("  ")), ENVIRONMENT.to_owned(), String::new()),
        (RULE.to_owned(), format!("{ENVIRONMENT}wide:\n{}", keys("  ")), format!("wide:\n{}", keys("  "))),
        (RULE.to_owned(), ENVIRONMENT.to_owned(), format!("rules:\n  a:\n    params:\n{}", keys("      "))),
    ] {
        let root = bundle();
        fs::write(root.path().join("rule.yaml"), rule).unwrap();
        fs::write(root.path().join("environments/default.yaml"), default).unwrap();
        fs::write(root.path().join("environments/prod.yaml"), &prod).unwrap();
        let environment = if prod.is_empty() { "default" } else { "prod" };
        let report = told(root.path(), environment);
        assert!(
            report.contains("error: ") && report.contains("unknown key"),
            "{}",
            &report[..report.len().min(500)]
        );
    }
}
