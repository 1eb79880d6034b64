use serde_json::json;

use super::*;

fn names(rendered: &RenderedSource) -> Vec<String> {
    let name = |object: &super::super::RenderedObject| {
        format!("{} {}", object.origin, object.body["metadata"]["name"].as_str().unwrap_or("-"))
    };
    rendered.objects.iter().map(name).collect()
}

#[test]
fn manifests_come_in_the_order_of_paths_and_hidden_files_do_not() {
    let rendered = render(&[
        ("app/b.yml", "metadata: {name: b1}\n---\n# nothing\n---\nmetadata: {name: b2}\n"),
        ("app/a/z.json", "{\"metadata\": {\"name\": \"z\"}}"),
        ("app/a/.hidden.yaml", "{"),
        ("app/.github/x.yaml", "{"),
        ("app/README.md", "{"),
        ("other/c.yaml", "{"),
    ])
    .unwrap();
    assert_eq!(rendered.renderer, "plain");
    assert_eq!(names(&rendered), ["app/a/z.json:1 z", "app/b.yml:1 b1", "app/b.yml:5 b2"]);
    assert_eq!(rendered.objects[2].origin.document, 3);
}

#[test]
fn lists_are_flattened() {
    let list = "kind: List\nitems:\n- metadata: {name: a}\n- kind: ConfigMapList\n  apiVersion: v1\n  items: \
                [{metadata: {name: b}}]\n---\nkind: AllowList\nspec: {items: [1]}\nmetadata: {name: c}\n";
    let rendered = render(&[("app/l.yaml", list)]).unwrap();
    assert_eq!(names(&rendered), ["app/l.yaml:1 a", "app/l.yaml:1 b", "app/l.yaml:8 c"]);
    assert_eq!(
        rendered.objects[1].body,
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}})
    );
}

#[test]
fn every_path_that_was_looked_at_is_told() {
    let tree = MemoryTree::of(&[("app/a.yaml", "{a: 1}"), ("values.yaml", "{}")]);
    let render = json!({"handlebars": {"valuesFiles": ["../values.yaml"]}});
    let rendered = render_tree(&tree, "./app/", render).unwrap();
    let reads: Vec<_> = rendered.reads.iter().map(|read| read.path.as_str()).collect();
    assert_eq!(reads, ["app", "app/a.yaml", "values.yaml"]);
}

#[test]
fn what_cannot_be_read_names_the_place() {
    let files = [("app/a.yaml", "a: 1\nb: [\n"), ("envs/staging/x.yaml", ""), ("envs/test/y.yaml", "")];
    let tree = MemoryTree::of(&files);
    let auto = || json!({"auto": {}});
    insta::assert_snapshot!(
        [
            told(render_tree(&tree, "envs/prod", auto())),
            told(render_tree(&tree, "no/where/at/all", auto())),
            told(render_tree(&tree, "app/a.yaml", auto())),
            told(render_tree(&tree, "../app", auto())),
        ]
        .join("\n")
    );
    // What follows the place is the loader's.
    let broken = told(render_tree(&tree, "app", auto()));
    assert!(broken.starts_with("InvalidYaml: app/a.yaml:3:1: "), "{broken}");
    let twice = told(render(&[("app/a.yaml", "data:\n  x: 1\n  x: 2\n")]));
    assert!(twice.starts_with("DuplicateKey: app/a.yaml:3:3: "), "{twice}");
}

#[test]
fn up_to_five_files_are_told_at_once() {
    let files: Vec<_> = (0..7).map(|i| format!("app/{i}.hbs")).collect();
    let files: Vec<_> = files.iter().map(|file| (file.as_str(), "{{nope")).collect();
    insta::assert_snapshot!(told(render(&files)));
}

#[test]
fn a_release_has_bounds() {
    let many = format!("kind: List\nitems:\n{}", "- {a: 1}\n".repeat(10_001));
    insta::assert_snapshot!(told(render(&[("app/many.yaml", &many)])));
}
