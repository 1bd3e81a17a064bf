//! On a terminal the command has it, as under a shell, and who started us has it back afterwards.

use std::fs::File;
use std::time::Duration;

use super::bench::{As, Check, Start, same};

/// Only with a parent: in a container the terminal ends with process 1.
pub(super) const CHECKS: &[(&str, Check)] =
    &[("on a terminal the command has the foreground, and gives it back", foreground)];

/// script(1) makes a terminal, in which a shell runs us and reads a line afterwards.
const TYPED: &str = r#"
    echo '"$PROGRAM" play parent sh -c "$INSIDE"; read line; echo "$line" > afterwards' > typed
    export PROGRAM="$0"; exec script -qec 'sh typed' /dev/null;
"#;
/// proc(5): field 5 is the process's group, 8 the terminal's.
const INSIDE: &str = r#"read line; set -- $(cat /proc/$$/stat); [ "$5" = "$8" ] && echo "$line" > inside"#;

fn foreground(form: As) -> Result<(), String> {
    let input = std::env::temp_dir().join(format!("keeper-typed-{}", std::process::id()));
    std::fs::write(&input, "first\nsecond\n").unwrap();
    let mut start = Start::new(form, &[]);
    (start.under, start.environment) = (TYPED, &[("INSIDE", INSIDE)]);
    start.input = File::open(&input).unwrap().into();
    let mut bench = start.go();
    bench.run(Duration::from_secs(30));
    same("how the command ended", bench.gone()?, 0)?;
    same("exit status", bench.exit()?, 0)?;
    std::fs::remove_file(input).unwrap();
    same("what the command read", bench.file("inside").as_str(), "first\n")?;
    same("what the shell read afterwards", bench.file("afterwards").as_str(), "second\n")
}
