//! Imports go one way: no file names something of a file that names something of it, and inside the crate a name is
//! imported from where it lives, not from the crate's root.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemMod, ItemUse, UseTree, Visibility};

/// A module, by its path in the crate.
type Module = Vec<String>;

/// What a file says about others. Tests in it are left out.
#[derive(Default)]
struct Names {
    /// Every path that it imports or writes out.
    paths: Vec<Vec<String>>,
    /// What it hands on under a name of its own.
    handed_on: BTreeMap<String, Vec<String>>,
}

fn is_test(attributes: &[Attribute]) -> bool {
    let conditions = attributes.iter().filter(|it| it.path().is_ident("cfg"));
    let mut words = conditions.filter_map(|it| Some(it.meta.require_list().ok()?.tokens.to_string()));
    words.any(|words| words.split(|c: char| !c.is_alphanumeric()).any(|word| word == "test"))
}

fn flatten(tree: &UseTree, before: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &with(&path.ident), found),
        UseTree::Name(name) if name.ident == "self" => {
            found.push((before.last().cloned().unwrap_or_default(), before.to_vec()));
        }
        UseTree::Name(name) => found.push((name.ident.to_string(), with(&name.ident))),
        UseTree::Rename(rename) => found.push((rename.rename.to_string(), with(&rename.ident))),
        UseTree::Glob(_) => found.push(("*".to_owned(), before.to_vec())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, found)),
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        let mut found = Vec::new();
        flatten(&import.tree, &[], &mut found);
        if matches!(import.vis, Visibility::Inherited) {
            self.paths.extend(found.into_iter().map(|(_, path)| path));
        } else {
            self.handed_on.extend(found);
        }
    }

    /// `pub(super)` names nothing of there.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let first = path.segments.first().map(|it| it.ident.to_string());
        if first.is_some_and(|first| first == "crate" || first == "super") {
            self.paths.push(path.segments.iter().map(|it| it.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }
}

fn read(root: &Path, directory: &Path, files: &mut BTreeMap<Module, Names>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let file: File = syn::parse_file(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let name = path.strip_prefix(root).unwrap().with_extension("");
            let mut module: Module = name.iter().map(|it| it.to_str().unwrap().to_owned()).collect();
            module.pop_if(|last| ["mod", "lib"].contains(&last.as_str()));
            let mut names = Names::default();
            file.items.iter().filter(|it| !is_test(attributes(it))).for_each(|it| names.visit_item(it));
            files.insert(module, names);
        }
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        _ => &[],
    }
}

/// The file that defines what a path names, through whoever hands it on.
fn defining(files: &BTreeMap<Module, Names>, from: &Module, path: &[String]) -> Option<Module> {
    let absolute = match path.first()?.as_str() {
        "crate" => path[1..].to_vec(),
        "self" => [from, &path[1..]].concat(),
        "super" => {
            let up = path.iter().take_while(|it| *it == "super").count();
            [&from[..from.len().checked_sub(up)?], &path[up..]].concat()
        }
        child if files.contains_key(&[from.as_slice(), &[child.to_owned()]].concat()) => {
            [from, path].concat()
        }
        _ => return None,
    };
    let module =
        (0..=absolute.len()).rev().map(|n| absolute[..n].to_vec()).find(|it| files.contains_key(it))?;
    let rest = &absolute[module.len()..];
    match rest.first().and_then(|name| files[&module].handed_on.get(name)) {
        Some(further) if *further != absolute => {
            defining(files, &module, &[further.as_slice(), &rest[1..]].concat()).or(Some(module))
        }
        _ => Some(module),
    }
}

/// Which files each file names something of.
fn imports(source: &Path) -> (BTreeMap<Module, Names>, BTreeMap<Module, BTreeSet<Module>>) {
    let mut files = BTreeMap::new();
    read(source, source, &mut files);
    let imports = files.iter().map(|(module, names)| {
        let named = names.paths.iter().filter_map(|path| defining(&files, module, path));
        (module.clone(), named.filter(|it| it != module).collect())
    });
    let imports = imports.collect();
    (files, imports)
}

/// A way from a file back to it.
fn circle(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    let mut done = BTreeSet::new();
    fn walk(
        imports: &BTreeMap<Module, BTreeSet<Module>>,
        at: &Module,
        way: &mut Vec<Module>,
        done: &mut BTreeSet<Module>,
    ) -> Option<Vec<Module>> {
        if let Some(begin) = way.iter().position(|it| it == at) {
            return Some(way[begin..].to_vec());
        }
        if !done.contains(at) {
            way.push(at.clone());
            let found = imports.get(at).into_iter().flatten().find_map(|next| walk(imports, next, way, done));
            if found.is_some() {
                return found;
            }
            way.pop();
            done.insert(at.clone());
        }
        None
    }
    imports.keys().find_map(|module| walk(imports, module, &mut Vec::new(), &mut done))
}

fn source(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of)
}

#[test]
fn no_file_imports_one_that_imports_it_back() {
    let (files, imports) = imports(&source("src"));
    assert!(files.len() > 150 && imports.values().map(BTreeSet::len).sum::<usize>() > 600, "they are read");
    let circle = circle(&imports).map(|way| way.iter().map(|it| it.join("::")).collect::<Vec<_>>());
    assert_eq!(circle, None);
}

#[test]
fn a_circle_is_found() {
    let file = |name: &str| vec![name.to_owned()];
    let to = |names: &[&str]| names.iter().map(|it| file(it)).collect::<BTreeSet<_>>();
    let mut imports = BTreeMap::from([(file("a"), to(&["b", "c"])), (file("b"), to(&["c"]))]);
    assert_eq!(circle(&imports), None);
    imports.insert(file("c"), to(&["d"]));
    imports.insert(file("d"), to(&["b"]));
    assert_eq!(circle(&imports), Some(vec![file("b"), file("c"), file("d")]));
}

#[test]
fn inside_the_crate_a_name_is_imported_from_where_it_lives() {
    let (files, _) = imports(&source("src"));
    let root = &files[&Module::new()].handed_on;
    assert!(root.contains_key("MatrixError"), "the root hands on what its users need");
    let from_root = files.iter().flat_map(|(module, names)| {
        let direct = names.paths.iter().chain(names.handed_on.values());
        let direct =
            direct.filter(|path| path.len() > 1 && path[0] == "crate" && root.contains_key(&path[1]));
        direct.map(|path| format!("{} names {}", module.join("::"), path.join("::")))
    });
    assert_eq!(from_root.collect::<Vec<_>>(), Vec::<String>::new());
}
