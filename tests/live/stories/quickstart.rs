//! The quickstart, typed word for word: each kubectl command prints what the page says.

use anyhow::{Context as _, Result, ensure};

use crate::common::new_namespace;
use crate::harness::stories;
use crate::lab::Lab;

stories!(the_quickstart_prints_what_it_says);

/// Runs the commands of every `console` block in their order, in a namespace that stands for `default`.
async fn the_quickstart_prints_what_it_says(lab: &Lab) -> Result<()> {
    let page = std::fs::read_to_string("docs/quickstart.md")?;
    let blocks = page.split("```console\n$ kubectl ").skip(1).filter_map(|rest| rest.split("```").next());
    let commands: Vec<&str> = blocks.flat_map(|block| block.split("$ kubectl ")).collect();
    ensure!(commands.len() > 3, "the page has {} commands", commands.len());
    let (namespace, mut faults) = (new_namespace(lab).await?, Vec::new());
    for command in commands {
        let (line, expected) = command.split_once('\n').context("a command without an end of line")?;
        let arguments: Vec<_> = ["-n", &namespace].into_iter().chain(line.split(' ')).collect();
        let done = lab.kubectl(&arguments).await?;
        // Which of a pair is asked depends on whether the namespace is listed yet.
        let printed = format!("{}{}", done.stderr, done.stdout).replace("\"scale-elsewhere.", "\"scale.");
        let printed = printed.replace(&format!("{namespace}/"), "default/");
        // Newer ones of kubectl say where they have deleted.
        let printed = printed.replace(&format!(" from {namespace} namespace"), "");
        if printed != expected {
            faults.push(format!("kubectl {line} printed\n{printed}instead of\n{expected}"));
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}
