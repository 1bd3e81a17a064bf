//! The tests of a file. Each is a function, and [`stories!`] is all that registers it: its name is the test's, and one that
//! is forgotten is dead code to the compiler, as are the stories of a file that its group has forgotten.

use std::pin::Pin;

use anyhow::Result;

use super::{Test, is_long};
use crate::lab::Lab;
use crate::lab::progress::Progress;

/// Runs it.
pub type Run = for<'a> fn(&'a Lab) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// When a story is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Side by side with others, in namespaces of its own.
    Beside,
    /// By itself, because it changes what is installed.
    Alone,
    /// As [`When::Beside`], and only where `LONG=1` asks for it.
    Long,
    /// By itself, and only where `--ignored` asks for it: it prints figures.
    Measured,
}

/// A function that is a test.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    pub module: &'static str,
    pub function: &'static str,
    pub when: When,
    pub prepare: Option<fn(&Progress)>,
    pub run: Run,
}

impl Story {
    /// Whether it needs the cluster for itself.
    pub fn is_alone(&self) -> bool {
        matches!(self.when, When::Alone | When::Measured)
    }

    /// As a test of its group. `play` says what is done around it.
    pub fn test<C: 'static>(self, play: fn(&C, Run) -> Result<()>) -> Test<C> {
        // The program and the group come first.
        let room = self.module.splitn(3, "::").nth(2);
        let name = room.map_or_else(|| self.function.to_owned(), |room| format!("{room}::{}", self.function));
        let test = Test::new(name, move |cluster| play(cluster, self.run));
        Test {
            is_alone: self.is_alone(),
            is_ignored: match self.when {
                When::Beside | When::Alone => false,
                When::Long => !is_long(),
                When::Measured => true,
            },
            prepare: self.prepare,
            ..test
        }
    }
}

/// `stories!(one_thing_holds, another_holds)` makes tests of these functions, which are `async fn(&Lab) -> Result<()>`.
///
/// `stories!(Beside: one_thing_holds; Alone: another_holds)` says [when](When) they are run, and `one_thing_holds after
/// built` that `fn built(&Progress)` is called before, where there is a network.
macro_rules! stories {
    ($($when:ident: $($story:ident $(after $prepare:path)?),+);+ $(;)?) => {
        pub const STORIES: &[$crate::harness::Story] = &[$($($crate::harness::Story {
            module: module_path!(),
            function: stringify!($story),
            when: $crate::harness::When::$when,
            prepare: $crate::harness::stories!(@ $($prepare)?),
            run: |lab| Box::pin($story(lab)),
        }),+),+];
    };
    (@) => { None };
    (@ $prepare:path) => { Some($prepare) };
    ($($story:ident $(after $prepare:path)?),+ $(,)?) => {
        $crate::harness::stories!(Beside: $($story $(after $prepare)?),+);
    };
}

pub(crate) use stories;
