//! Which file of `src` imports which, as the compiler would read it: so that no files and no rooms import each other in a
//! circle. A room is a folder or a file right under `src`; a folder `plan` in it is a room of its own, which is pure, so that
//! others may read it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::UseTree;
use syn::visit::{self, Visit};

/// No file imports, over however many others, a file that imports it.
#[test]
fn files_import_in_one_direction() -> Result<(), String> {
    no_circle(&House::read(crate::root())?.imports)
}

/// So for the rooms: what is on a lower floor knows nothing of what is above.
#[test]
fn rooms_import_in_one_direction() -> Result<(), String> {
    let mut rooms = Imports::new();
    for (from, to) in House::read(crate::root())?.imports {
        let from = room(&from);
        let to = to.iter().map(|module| room(module)).filter(|to| *to != from);
        rooms.entry(from.clone()).or_default().extend(to);
    }
    no_circle(&rooms)
}

/// By module, the modules that it imports from.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// The files of `src` by module, as in `policy::change`.
struct House {
    files: BTreeMap<String, PathBuf>,
    /// Where an item is that a `mod.rs` hands on.
    reexported: BTreeMap<String, String>,
    imports: Imports,
}

/// The paths that one file names, as far as they lead into this crate.
struct Paths<'h> {
    house: &'h House,
    /// The module whose paths they are.
    module: Vec<String>,
    found: BTreeSet<String>,
    handed_on: BTreeMap<String, String>,
}

impl House {
    fn read(root: &Path) -> Result<Self, String> {
        let source = root.join("src");
        let files = super::architecture::rust_files(&source).into_iter().filter_map(|file| {
            let name = file.strip_prefix(&source).ok()?.with_extension("");
            let name = name.strip_prefix("mod").unwrap_or(&name);
            let name = if name.ends_with("mod") { name.parent()? } else { name };
            Some((name.to_str()?.replace('/', "::"), file))
        });
        let files = files.filter(|(name, _)| name != "lib" && name != "main").collect();
        let mut house = Self { files, reexported: BTreeMap::new(), imports: Imports::new() };
        // Twice: what is handed on has to be known before it is found where it is.
        for _ in 0..2 {
            let (mut imports, mut reexported) = (Imports::new(), BTreeMap::new());
            for (name, file) in &house.files {
                let paths = house.paths(name, file)?;
                imports.insert(name.clone(), paths.found);
                reexported.extend(paths.handed_on);
            }
            (house.imports, house.reexported) = (imports, reexported);
        }
        Ok(house)
    }

    fn paths(&self, name: &str, file: &Path) -> Result<Paths<'_>, String> {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let parsed = syn::parse_file(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let module = name.split("::").map(str::to_owned).collect();
        let mut paths = Paths { house: self, module, found: BTreeSet::new(), handed_on: BTreeMap::new() };
        paths.visit_file(&parsed);
        paths.found.remove(name);
        Ok(paths)
    }

    /// The file that has what this path of the crate leads to.
    fn file_of(&self, path: &[String]) -> Option<&str> {
        (1..=path.len()).rev().find_map(|length| {
            let prefix = path.get(..length)?.join("::");
            let found = self.reexported.get(&prefix).map(String::as_str);
            found.or_else(|| self.files.get_key_value(&prefix).map(|(name, _)| name.as_str()))
        })
    }
}

impl Paths<'_> {
    /// The same path from the crate's root; none if it leads out of the crate, or is a name in scope.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([self.module.as_slice(), rest].concat()),
            "super" => {
                let ups = path.iter().take_while(|segment| *segment == "super").count();
                Some([self.module.get(..self.module.len().checked_sub(ups)?)?, path.get(ups..)?].concat())
            }
            _ => {
                let child = [self.module.as_slice(), std::slice::from_ref(first)].concat();
                self.house.files.contains_key(&child.join("::")).then(|| [self.module.as_slice(), path].concat())
            }
        }
    }

    fn leaves(tree: &UseTree, before: &[String], each: &mut impl FnMut(Vec<String>)) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => Self::leaves(&path.tree, &with(&path.ident), each),
            UseTree::Name(name) => each(with(&name.ident)),
            UseTree::Rename(rename) => each(with(&rename.ident)),
            UseTree::Glob(_) => each(before.to_vec()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| Self::leaves(tree, before, each)),
        }
    }
}

impl Visit<'_> for Paths<'_> {
    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        let is_private = matches!(item.vis, syn::Visibility::Inherited);
        let mut paths = Vec::new();
        Self::leaves(&item.tree, &[], &mut |path| paths.push(path));
        let paths: Vec<_> = paths.iter().filter_map(|path| self.absolute(path)).collect();
        for path in paths {
            let Some(file) = self.house.file_of(&path).map(str::to_owned) else { continue };
            match path.last() {
                Some(name) if !is_private => {
                    self.handed_on.insert(format!("{}::{name}", self.module.join("::")), file);
                }
                _ => {
                    self.found.insert(file);
                }
            }
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        // A name alone is in scope by a `use`, or is the file's own.
        let file = self.absolute(&segments).filter(|_| segments.len() > 1);
        self.found.extend(file.and_then(|path| self.house.file_of(&path).map(str::to_owned)));
        visit::visit_path(self, path);
    }
}

fn room(module: &str) -> String {
    let mut segments = module.split("::");
    match (segments.next(), segments.next()) {
        (Some("companions"), Some("plan")) => "companions::plan".to_owned(),
        (room, _) => room.unwrap_or_default().to_owned(),
    }
}

fn no_circle(imports: &Imports) -> Result<(), String> {
    let mut done = BTreeSet::new();
    imports.keys().try_for_each(|start| walk(imports, start, &mut Vec::new(), &mut done))
}

fn walk<'i>(
    imports: &'i Imports,
    at: &'i str,
    way: &mut Vec<&'i str>,
    done: &mut BTreeSet<&'i str>,
) -> Result<(), String> {
    if let Some(begin) = way.iter().position(|step| *step == at) {
        let circle = way.get(begin..).unwrap_or_default().join(" -> ");
        return Err(format!("these import each other in a circle: {circle} -> {at}"));
    }
    if done.contains(at) {
        return Ok(());
    }
    way.push(at);
    imports.get(at).into_iter().flatten().try_for_each(|to| walk(imports, to, way, done))?;
    way.pop();
    done.insert(at);
    Ok(())
}
