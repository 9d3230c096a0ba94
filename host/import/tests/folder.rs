//! Files in, files out.
use std::fs;

use watchbell_import::{Settings, WriteFault, import, read, read_config, write};

#[test]
fn what_rules_name_is_read_with_them() {
    let place = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = place.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("in/rules/a.yaml", "import: ../../shared/b.inc\nblacklist: [\"!file list.txt\"]\n");
    put("in/rules/list.txt", "x\n");
    put("in/rules/unrelated.txt", "x\n");
    put("in/rules/..data/a.yaml", "a second copy");
    put("in/rules/latin.yaml", "");
    fs::write(place.path().join("in/rules/latin.yaml"), [0xE9]).unwrap();
    put("shared/b.inc", "import: c.yml\n");
    put("shared/c.yml", "owner: x\n");
    let sources = read(&place.path().join("in")).unwrap();
    let paths: Vec<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    assert_eq!(
        paths,
        ["../shared/b.inc", "../shared/c.yml", "rules/a.yaml", "rules/latin.yaml", "rules/list.txt"]
    );
    assert_eq!(sources[3].text, Err("is not UTF-8".into()));
    assert!(read(&place.path().join("nowhere")).is_err());
}

#[test]
fn a_configuration_may_be_somewhere_else() {
    let place = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = place.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("in/rules/a.yaml", "type: any\nindex: x\nalert: debug\n");
    put("in/config.yaml", "rules_folder: rules\nrun_every: { minutes: 1 }\n");
    put("etc/config.yaml", "rules_folder: /opt/rules\nrun_every: { minutes: 7 }\n");
    let folder = place.path().join("in");
    let every = |config: &str| {
        let mut sources = read(&folder).unwrap();
        let config = read_config(&folder, &place.path().join(config), &mut sources).unwrap();
        let settings = Settings { destination: Some("ops"), config: Some(&config), ..Settings::default() };
        let made = import(&sources, &settings);
        assert!(made.report.is_complete(), "{}", made.report);
        made.files[1].text.lines().find(|line| line.starts_with("every")).map(String::from)
    };
    assert_eq!(every("in/config.yaml").as_deref(), Some("every: 1m"));
    assert_eq!(every("etc/config.yaml").as_deref(), Some("every: 7m"));
    let mut sources = read(&folder).unwrap();
    assert!(read_config(&folder, &place.path().join("nowhere.yaml"), &mut sources).is_err());
}

#[test]
fn nothing_is_overwritten_unasked() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("in")).unwrap();
    fs::write(place.path().join("in/a.yaml"), "type: any\nindex: x\nalert: debug\n").unwrap();
    let settings = Settings { destination: Some("ops"), tokens: &[], ..Settings::default() };
    let made = import(&read(&place.path().join("in")).unwrap(), &settings);
    let out = place.path().join("rules");
    write(&out, &made.files, false).unwrap();
    let manifest = fs::read_to_string(out.join("a.yaml")).unwrap();
    fs::write(out.join("a.yaml"), "mine").unwrap();
    fs::remove_file(out.join("environments/default.yaml")).unwrap();
    let fault = write(&out, &made.files, false).unwrap_err();
    assert!(matches!(&fault, WriteFault::Exists(there) if there.len() == 1), "{fault:?}");
    // Not even what is not there is written then.
    assert!(!out.join("environments/default.yaml").exists());
    assert_eq!(fs::read_to_string(out.join("a.yaml")).unwrap(), "mine");
    write(&out, &made.files, true).unwrap();
    assert_eq!(fs::read_to_string(out.join("a.yaml")).unwrap(), manifest);
}
