//! Manifests in the style of well-known charts, singletons among them: not a false word about any of them.

use std::path::Path;

use singleton_guard::cli::check::Check;
use singleton_guard::settings::Settings;

#[test]
fn no_word_is_said_in_vain() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/charts")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for text in [text.replace('\n', "\r\n"), text] {
            let settings = Settings::default();
            let mut check = Check::new(&settings, "default", std::time::SystemTime::now());
            check.file("chart", &text);
            let report = check.report();
            assert!(report.findings.is_empty(), "{}: {:#?}", path.display(), report.findings);
            assert!(report.counts.objects >= 2, "{}: {:?}", path.display(), report.counts);
        }
        names.push(path);
    }
    assert!(names.len() >= 10, "{names:?}");
}
