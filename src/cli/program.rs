//! The program: what is asked for, done, and told.

use std::env::consts;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{CommandFactory as _, Parser as _};

use super::arguments::{Arguments, Check, Colour, Command, Form, Output};
use super::check::{self, Report};
use super::finding::Level;
use super::{about, explain, report, source};
use crate::configuration;
use crate::settings::Settings;

/// Runs it with the arguments of the process.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let choice = match arguments.color {
        Colour::Auto => anstream::ColorChoice::Auto,
        Colour::Always => anstream::ColorChoice::Always,
        Colour::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
    match arguments.command {
        Command::Check(arguments) => self::check(&arguments),
        Command::Explain { code: None } => print(&explain::list()),
        Command::Explain { code: Some(code) } => match explain::one(&code) {
            Ok(text) => print(&text),
            Err(problem) => complain(&problem),
        },
        Command::Version { output: Form::Text } => print(&about::text()),
        Command::Version { output: Form::Json } => print(&about::json(&format!("{}/{}", consts::OS, consts::ARCH))),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), PROGRAM, &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::Man => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(Arguments::command()).render(&mut page) {
                Ok(()) => print(&String::from_utf8_lossy(&page)),
                Err(error) => complain(&error.to_string()),
            }
        }
    }
}

fn print(text: &str) -> ExitCode {
    match anstream::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("the output cannot be written: {error}"))
        }
        _ => ExitCode::SUCCESS,
    }
}

fn check(arguments: &Check) -> ExitCode {
    let settings = match arguments.config.as_deref().map(configuration::read).transpose() {
        Ok(read) => read.map_or_else(Settings::default, |(_, settings)| settings),
        Err(error) => return complain(&error.to_string()),
    };
    let mut check = check::Check::new(&settings, &arguments.namespace, SystemTime::now());
    source::files(&arguments.manifests, &mut |name, text| match text {
        Ok(text) => check.file(name, text),
        Err(problem) => check.unreadable(name, problem),
    });
    let report = check.report();
    match tell(&report, arguments.output) {
        // Whoever reads has enough.
        Ok(()) => verdict(&report, arguments),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => verdict(&report, arguments),
        Err(error) => complain(&format!("the output cannot be written: {error}")),
    }
}

fn tell(report: &Report, output: Output) -> io::Result<()> {
    let mut out = BufWriter::new(anstream::stdout());
    match output {
        Output::Text => report::text(report, &mut out)?,
        Output::Json => report::json(report, &mut out)?,
        Output::Sarif => report::sarif(report, &mut out)?,
        Output::Junit => report::junit(report, &mut out)?,
        Output::Github => report::github(report, &mut out)?,
    }
    out.flush()
}

/// The exit code. What could not be read may hide anything, so it counts most.
fn verdict(report: &Report, arguments: &Check) -> ExitCode {
    let has = |level| report.findings.iter().any(|finding| finding.level == level);
    let fails = has(Level::Refused)
        || arguments.warnings_as_errors && has(Level::Warning)
        || arguments.strict && has(Level::Undecided);
    ExitCode::from(if has(Level::Unreadable) { 2 } else { u8::from(fails) })
}

/// One line on standard error.
fn complain(problem: &str) -> ExitCode {
    // With standard error closed there is nobody to tell.
    let _told = writeln!(io::stderr(), "kubectl singleton-guard: {problem}");
    ExitCode::from(2)
}

/// The name of the file.
const PROGRAM: &str = "kubectl-singleton_guard";
