//! From text to documents. A document that is broken does not hide those behind it, and no document costs more than its
//! size: what aliases add is counted.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_saphyr::granit_parser::{self, Event, Marker, Parser, ScanError, Span, StrInput, Tag};

use super::json::other_json;
use super::scalar;
use super::tree::{Content, Key, Node, Place};

/// One document of a file.
#[derive(Debug)]
pub struct Document<'a> {
    /// Its number in the file, from 1.
    pub number: usize,
    /// What it says, or why that cannot be read.
    pub root: Result<Node<'a>, Fault>,
    /// Keys that come twice. The last one counts, as with kubectl.
    pub twice: Vec<(String, Place)>,
}

/// Why something cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub problem: String,
}

/// Hands each document on as soon as it is read.
pub fn documents<'a>(text: &'a str, mut each: impl FnMut(Document<'a>)) {
    // kubectl takes what begins so for JSON. Most of it is YAML too, and only as YAML it has places.
    if text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
        && let Some(roots) = other_json(text)
    {
        for (root, number) in roots.into_iter().zip(1..) {
            each(Document { number, root: Ok(root), twice: Vec::new() });
        }
        return;
    }
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut number = 0;
    loop {
        let mut composer =
            Composer { parser: &mut parser, anchors: HashMap::new(), added: 0, depth: 0, twice: Vec::new() };
        let root = match composer.document() {
            Ok(None) => return,
            Ok(Some(root)) => Ok(root),
            Err(fault) => Err(fault),
        };
        number += 1;
        let (is_broken, twice) = (root.is_err(), composer.twice);
        each(Document { number, root, twice });
        if is_broken && !matches!(parser.proceed_next_document(), Ok(true)) {
            return;
        }
    }
}

/// Composes the nodes of one document.
struct Composer<'p, 'a> {
    parser: &'p mut Parser<'a, StrInput<'a>>,
    /// What an anchor names.
    anchors: HashMap<usize, (Node<'a>, Extent)>,
    /// How many nodes aliases have added.
    added: usize,
    /// How many collections are open.
    depth: usize,
    twice: Vec<(String, Place)>,
}

/// What a node comes to.
#[derive(Clone, Copy)]
struct Extent {
    /// How many it consists of.
    nodes: usize,
    /// How deep they are nested.
    depth: usize,
}

type Entries<'a> = Vec<(Key<'a>, Node<'a>)>;
type Composed<'a> = Result<(Node<'a>, Extent), Fault>;

impl Extent {
    const SCALAR: Self = Self { nodes: 1, depth: 1 };

    fn with(self, inner: Self) -> Self {
        Self { nodes: self.nodes + inner.nodes, depth: self.depth.max(inner.depth + 1) }
    }
}

impl<'a> Composer<'_, 'a> {
    /// The next document; none at the end.
    fn document(&mut self) -> Result<Option<Node<'a>>, Fault> {
        loop {
            match self.next()? {
                None | Some((Event::StreamEnd, _)) => return Ok(None),
                Some((Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _)) => {}
                Some((event, span)) => return self.node(event, span).map(|(root, _)| Some(root)),
            }
        }
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Fault> {
        self.parser.next_event().transpose().map_err(|error| unreadable(&error))
    }

    /// The node that begins with this event. The parser bounds how deep they are nested.
    fn node(&mut self, event: Event<'a>, span: Span) -> Composed<'a> {
        let place = place(span);
        let (content, extent, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == granit_parser::ScalarStyle::Plain;
                (scalar_of(text, is_plain, tag.as_deref()), Extent::SCALAR, anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, place),
            Event::SequenceStart(_, anchor, _) => {
                self.depth += 1;
                let (items, extent) = self.items()?;
                self.depth -= 1;
                (Content::List(items), extent, anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                self.depth += 1;
                let (entries, extent) = self.entries()?;
                self.depth -= 1;
                (Content::Map(entries), extent, anchor)
            }
            _ => return Err(Fault { place, problem: "it is no value".to_owned() }),
        };
        let node = Node { place, content };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), extent));
        }
        Ok((node, extent))
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Composed<'a> {
        let fault = |problem: &str| Fault { place, problem: problem.to_owned() };
        let Some((node, extent)) = self.anchors.get(&anchor) else {
            return Err(fault("an alias stands inside of what it names"));
        };
        self.added += extent.nodes;
        if self.added > ADDED_MAX {
            return Err(fault("its aliases make more than 100 000 values out of it"));
        }
        if self.depth + extent.depth > DEPTH_MAX {
            return Err(fault("its aliases nest it more than 512 levels deep"));
        }
        Ok((Node { place, content: node.content.clone() }, *extent))
    }

    fn items(&mut self) -> Result<(Vec<Node<'a>>, Extent), Fault> {
        let (mut items, mut extent) = (Vec::new(), Extent::SCALAR);
        while let Some((event, span)) = self.next()?.filter(|(event, _)| *event != Event::SequenceEnd) {
            let (item, inner) = self.node(event, span)?;
            extent = extent.with(inner);
            items.push(item);
        }
        Ok((items, extent))
    }

    fn entries(&mut self) -> Result<(Entries<'a>, Extent), Fault> {
        let (mut entries, mut merged, mut extent) = (Vec::new(), Vec::new(), Extent::SCALAR);
        let mut seen: HashMap<Cow<'a, str>, usize> = HashMap::new();
        while let Some((event, span)) = self.next()?.filter(|(event, _)| *event != Event::MappingEnd) {
            let is_merge = matches!(&event, Event::Scalar(text, granit_parser::ScalarStyle::Plain, ..) if text == "<<");
            let (key, _) = self.node(event, span)?;
            let key = as_key(key)?;
            let Some((event, span)) = self.next()? else {
                return Err(Fault { place: key.place, problem: "this key has no value".to_owned() });
            };
            let (value, inner) = self.node(event, span)?;
            extent = extent.with(inner);
            if is_merge {
                merged.push(value);
                continue;
            }
            if let Some(at) = seen.get(&key.text).copied() {
                self.twice.push((key.text.clone().into_owned(), key.place));
                if let Some(entry) = entries.get_mut(at) {
                    *entry = (key, value);
                }
            } else {
                seen.insert(key.text.clone(), entries.len());
                entries.push((key, value));
            }
        }
        for mapping in merged {
            merge(mapping, &mut seen, &mut entries)?;
        }
        Ok((entries, extent))
    }
}

/// Adds the entries of a merge key (`<<`) that are not there yet: one mapping, or a list of them.
fn merge<'a>(from: Node<'a>, seen: &mut HashMap<Cow<'a, str>, usize>, entries: &mut Entries<'a>) -> Result<(), Fault> {
    match from.content {
        Content::Map(more) => {
            for (key, value) in more {
                if !seen.contains_key(&key.text) {
                    seen.insert(key.text.clone(), entries.len());
                    entries.push((key, value));
                }
            }
            Ok(())
        }
        Content::List(mappings) => mappings.into_iter().try_for_each(|mapping| merge(mapping, seen, entries)),
        _ => Err(Fault { place: from.place, problem: "only a mapping can be merged (<<)".to_owned() }),
    }
}

fn scalar_of<'a>(text: Cow<'a, str>, is_plain: bool, tag: Option<&Tag>) -> Content<'a> {
    match tag.and_then(Tag::core_suffix) {
        Some("str") => Content::Text(text),
        Some("bool" | "int" | "float" | "null") => scalar::resolve(text),
        _ if is_plain && tag.is_none() => scalar::resolve(text),
        _ => Content::Text(text),
    }
}

/// JSON has strings as keys, and kubectl makes them of whatever a key is.
fn as_key(node: Node<'_>) -> Result<Key<'_>, Fault> {
    let place = node.place;
    let text = match node.content {
        Content::Text(text) => text,
        Content::Number(number) => number.into(),
        Content::Bool(is) => if is { "true" } else { "false" }.into(),
        Content::Null => "null".into(),
        Content::List(_) | Content::Map(_) => {
            return Err(Fault { place, problem: "a key must be a word, not a list or a mapping".to_owned() });
        }
    };
    Ok(Key { text, place })
}

fn place(span: Span) -> Place {
    let (line, column) = position(&span.start);
    let (last, end) = position(&span.end);
    Place { line, column, end: if last == line { end } else { column } }
}

fn position(marker: &Marker) -> (usize, usize) {
    (marker.line().max(1), marker.col() + 1)
}

fn unreadable(error: &ScanError) -> Fault {
    let (line, column) = position(error.marker());
    Fault { place: Place { line, column, end: column }, problem: error.info().clone() }
}

/// A real manifest has a few hundred values; more than this is an attack, or a mistake that kubectl refuses too.
const ADDED_MAX: usize = 100_000;
/// Twice what the parser nests by itself.
const DEPTH_MAX: usize = 512;
