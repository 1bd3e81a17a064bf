//! What the person in front of the screen sees: headings, prompts, real output, verdicts.
//!
//! It only prints. A closed standard output is no reason to stop: the exit code says the same.

use std::io::{IsTerminal as _, Write as _};

use super::census::Moment;
use crate::lab::progress::Progress;
use crate::lab::tools::Outcome;

/// Standard output, with colours where they can be seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    colours: bool,
}

impl Screen {
    /// Colours only for a terminal, and only if `NO_COLOR` does not forbid them (<https://no-color.org>).
    pub(crate) fn new() -> Self {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: std::io::stdout().is_terminal() && !forbidden }
    }

    /// One line per step of building and booting, with the seconds since this call.
    pub(crate) fn progress(self) -> Progress {
        Progress::new(move |elapsed, step| {
            let elapsed = format!("[{:>5.1}s]", elapsed.as_secs_f64());
            print(&format!("  {} {step}", self.painted(GREY, &elapsed)));
        })
    }

    /// What comes next.
    pub(crate) fn heading(self, text: &str) {
        print(&format!("\n{}", self.painted(BOLD, text)));
    }

    /// What there is to know besides.
    pub(crate) fn note(self, text: &str) {
        for line in wrapped(text) {
            print(&format!("    {}", self.painted(GREY, &line)));
        }
    }

    /// A command as it would be typed.
    pub(crate) fn command(self, line: &str) {
        print(&format!("\n  {} {}", self.painted(GREY, "$"), self.painted(BOLD, line)));
    }

    /// All that a command printed, word for word. Warnings and refusals come first, as kubectl prints them.
    pub(crate) fn output(self, outcome: &Outcome) {
        for line in outcome.stderr.lines() {
            for (index, part) in wrapped(line).into_iter().enumerate() {
                match part.split_once(": ") {
                    // `Warning` or `Error from server (Forbidden)`.
                    Some((what, rest)) if index == 0 => print(&format!("    {}: {rest}", self.painted(YELLOW, what))),
                    _ => print(&format!("    {part}")),
                }
            }
        }
        for line in outcome.stdout.lines() {
            print(&format!("    {line}"));
        }
    }

    /// It went as it should.
    pub(crate) fn good(self, text: &str) {
        print(&format!("  {}", self.painted(GREEN, &format!("✓ {text}"))));
    }

    /// It went as the story says, and that is the trouble.
    pub(crate) fn trouble(self, text: &str) {
        print(&format!("  {}", self.painted(YELLOW, &format!("! {text}"))));
    }

    /// It did not go as the story says.
    pub(crate) fn wrong(self, text: &str) {
        for (index, line) in text.lines().flat_map(wrapped).enumerate() {
            let mark = if index == 0 { "✗" } else { " " };
            print(&format!("  {}", self.painted(RED, &format!("{mark} {line}"))));
        }
    }

    /// A line for the person to copy.
    pub(crate) fn shell(self, line: &str) {
        print(&format!("  {}", self.painted(BOLD, line)));
    }

    /// What a watch has seen, one line per change that matters.
    pub(crate) fn moments(self, moments: &[&Moment]) {
        let widest = moments.iter().map(|moment| moment.pod.len()).max().unwrap_or_default();
        let heads =
            format!("{:>8}  {:<widest$}  {:<11}  {:>4}  {:>11}", "REVISION", "POD", "IS", "PODS", "TERMINATING");
        print(&format!("\n    {}", self.painted(GREY, &heads)));
        for Moment { revision, pod, state, pods, terminating, .. } in moments {
            let state = state.to_string();
            print(&format!("    {revision:>8}  {pod:<widest$}  {state:<11}  {pods:>4}  {terminating:>11}"));
        }
    }

    fn painted(self, colour: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{}", line.trim_end());
}

/// A long line in lines of at most [`WIDTH`] characters, broken at spaces.
fn wrapped(line: &str) -> Vec<String> {
    if line.chars().count() <= WIDTH {
        return vec![line.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= WIDTH => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Fits a terminal of 100 columns, indented.
const WIDTH: usize = 94;
/// "Select Graphic Rendition" of ECMA-48.
const BOLD: &str = "1";
const GREY: &str = "90";
const RED: &str = "1;31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
