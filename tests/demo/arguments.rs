//! What was asked for on the command line.

/// How the story is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Whether the chart is installed.
    pub(crate) world: World,
    /// What happens after the last scene.
    pub(crate) end: End,
}

/// The cluster that the story plays in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// With the chart installed.
    Guarded,
    /// Plain Kubernetes (`--without-guard`).
    Plain,
}

/// After the last scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The cluster ends with the story.
    Leave,
    /// It stays up for an ordinary shell until Ctrl-C (`--stay`).
    Stay,
}

/// Why there is no story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoStory {
    /// Help was asked for.
    Help,
    /// There is no such flag.
    Unknown(String),
}

impl Arguments {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, NoStory> {
        let mut arguments = Self { world: World::Guarded, end: End::Leave };
        for word in words {
            match word.as_str() {
                "--without-guard" => arguments.world = World::Plain,
                "--stay" => arguments.end = End::Stay,
                "--help" | "-h" => return Err(NoStory::Help),
                _ => return Err(NoStory::Unknown(word)),
            }
        }
        Ok(arguments)
    }
}

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Boots a real Kubernetes control plane on this machine, installs singleton-guard in it and shows, with the real kubectl,
what is refused and what stays free. Needs no root and no container engine; what it starts ends with it.

Usage: cargo run --example demo [-- FLAGS]

  --without-guard  the same story on plain Kubernetes: a second copy appears at each step
  --stay           keep the cluster up for your own shell, until Ctrl-C
  --help           this text

Exits with 0 if the cluster did what the story says, with 1 if it did not, with 2 if it was asked for something else.
";

/// All flags, for the one who has mistyped one.
pub(crate) const FLAGS: &str = "--without-guard, --stay and --help";
