use serde_json::json;

use super::*;

#[test]
fn values_are_merged_from_files_and_inline() {
    let tree = MemoryTree::of(&[
        ("app/web.yaml.hbs", "out: {{image.repository}}:{{image.tag}}/{{replicas}}\n"),
        ("app/plain.yaml", "out: '{{untouched}}'"),
        ("app/values.yaml", "image: {tag: '1', repository: web}\nreplicas: 1\n"),
        ("values/prod.yaml", "image: {tag: '2'}\n"),
    ]);
    let render = json!({"handlebars": {
        "valuesFiles": ["values.yaml", "../values/prod.yaml"], "values": {"replicas": 3}
    }});
    let rendered = render_tree(&tree, "app", render).unwrap();
    let out: Vec<_> = rendered.objects.iter().map(|object| object.body["out"].clone()).collect();
    assert_eq!(out, [json!("{{untouched}}"), json!("web:2/3")]);
    assert_eq!(rendered.renderer, "handlebars");
}

#[test]
fn windlass_is_always_there() {
    let text = "out: {{windlass.app}} {{windlass.namespace}} {{windlass.revision}} {{windlass.cluster}}";
    assert_eq!(template(text, json!({})).unwrap(), "shop prod 0123456789abcdef eu-1");
    insta::assert_snapshot!(told(template(text, json!({"windlass": {"app": "x"}}))));
}

#[test]
fn partials_are_found_by_name() {
    let rendered = render(&[
        ("app/a.hbs", "out:\n{{> labels app=\"x\"}}\n"),
        ("app/shared/_labels.yaml.hbs", "  name: {{app}}\n  of: {{windlass.app}}\n"),
    ])
    .unwrap();
    let body = &rendered.objects[0].body;
    assert_eq!(*body, json!({"out": {"name": "x", "of": "shop"}}));
}

#[test]
fn a_partial_is_indented_as_the_line_that_it_stands_on() {
    let labels = ("app/_labels.hbs", "app: {{windlass.app}}\ntier: web\n");
    let rendered =
        render(&[("app/a.hbs", "out:\n  labels:\n    {{> labels}}\n  last: 1\n"), labels]).unwrap();
    let expected = json!({"out": {"labels": {"app": "shop", "tier": "web"}, "last": 1}});
    assert_eq!(rendered.objects[0].body, expected);
    let nested =
        [("app/a.hbs", "out:\n  {{> outer}}\n"), ("app/_outer.hbs", "labels:\n  {{> labels}}\n"), labels];
    let expected = json!({"out": {"labels": {"app": "shop", "tier": "web"}}});
    assert_eq!(render(&nested).unwrap().objects[0].body, expected);
}

#[test]
fn blocks_work_as_in_handlebars() {
    let values = json!({"list": ["a", "b"], "map": {"x": 1, "y": 2}, "on": true, "off": false, "none": []});
    let cases = [
        ("{{#each list}}{{@index}}{{this}}{{#unless @last}},{{/unless}}{{/each}}", json!("0a,1b")),
        ("{{#each map}}{{@key}}={{this}};{{/each}}", json!("x=1;y=2;")),
        ("{{#each map as |v k|}}{{k}}{{v}}{{../off}}{{/each}}", json!("x1falsey2false")),
        ("{{#if off}}1{{else if on}}2{{else}}3{{/if}}", json!(2)),
        ("{{#with map}}{{x}}{{@root.on}}{{/with}}", json!("1true")),
        ("{{#each none}}x{{else}}empty{{/each}}", json!("empty")),
        ("{{#if (default missing false)}}1{{else}}0{{/if}}", json!(0)),
        ("'{{{{raw}}}}{{x}}{{{{/raw}}}}'", json!("{{x}}")),
        ("'<&\"{{list.[0]}}'", json!("<&\"a")),
    ];
    for (text, expected) in cases {
        assert_eq!(template(&format!("out: {text}"), values.clone()), Ok(expected), "{text}");
    }
}

#[test]
fn a_missing_variable_is_an_error_wherever_it_stands() {
    let values = json!({"image": {"tag": "1", "repository": "web"}, "list": [1], "text": "t", "null": null});
    let texts = [
        "out: {{tagg}}",
        "a: 1\nout: {{image.tagg}}",
        "out: {{upper image.tagg}}",
        "out: {{default image.tag image.tagg}}",
        "{{#if image.tagg}}x{{/if}}",
        "{{#if (and image.tag (not other))}}x{{/if}}",
        "{{#unless image.tagg}}x{{/unless}}",
        "{{#each image.tagg}}x{{else}}y{{/each}}",
        "{{#with image}}{{text}}{{/with}}",
        "{{#if (not image.tag)}}\n{{else if missing}}x{{/if}}",
        "{{#each list}}{{@key}}{{/each}}",
        "{{@index}}",
        "out: {{text.length}}",
        "out: {{list.first}}",
        "out: {{list.[3]}}",
        "out: {{image}}",
        "out: {{list}}",
        "out: {{null}}",
        "out: {{default null image}}",
        "out: {{required image.digest \"set image.digest in the values\"}}",
        "{{#with null}}x{{/with}}",
    ];
    let told: Vec<_> = texts
        .iter()
        .map(|text| match template(text, values.clone()) {
            Ok(value) => format!("NOT REFUSED: {text} -> {value}"),
            failed => told(failed),
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_missing_variable_in_a_partial_names_both_files() {
    insta::assert_snapshot!(
        [
            told(render(&[
                ("app/a.hbs", "x: {{> p}}"),
                ("app/_p.hbs", "{{#if windlass.app}}\n{{tag}}{{/if}}")
            ])),
            told(render(&[("app/a.hbs", "x: {{> p tag=missing}}"), ("app/_p.hbs", "{{tag}}")])),
            told(render(&[("app/a.hbs", "x: {{> p missing}}"), ("app/_p.hbs", "{{tag}}")])),
        ]
        .join("\n")
    );
}

#[test]
fn a_wrong_template_is_told_with_its_place() {
    let texts = [
        "a: 1\n{{#if windlass.app}}\nb: 2\n",
        "{{#if windlass.app}}{{#each list}}{{/if}}{{/each}}",
        "a: 1\n{{/if}}",
        "a: {{",
        "a: {{image",
        "a: {{\"}}",
        "a: {{nope 1}}",
        "{{#if (nope 1)}}{{/if}}",
        "{{#nope windlass}}{{/nope}}",
        "{{#if}}{{/if}}",
        "{{trunc windlass.app}}",
        "{{trunc windlass.app 1 2}}",
        "{{trunc windlass.app \"x\"}}",
        "{{quote windlass.app style=1}}",
        "{{upper windlass}}",
        "{{> nope}}",
        "{{> (lower \"x\")}}",
        "{{#*inline \"x\"}}{{/inline}}",
        "{{> @partial-block}}",
        "{{#> nope}}{{/nope}}",
        "a: {{default 3 replicas}}",
        "{{semverCompare \"one\" \">1\"}}",
        "{{semverCompare \"1\" \"new\"}}",
    ];
    let told: Vec<_> = texts.iter().map(|text| told(template(text, json!({})))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_template_that_renders_to_no_yaml_names_the_line_of_its_output() {
    for (text, reason, line) in [
        ("{{#if windlass}}\na: 1\n{{/if}}\nb: }{{windlass.app}}\n", "InvalidYaml", "b: }shop"),
        ("a: 1\na: {{windlass.app}}\n", "DuplicateKey", "a: shop"),
    ] {
        let told = told(template(text, json!({})));
        assert!(told.starts_with(&format!("{reason}: app/t.hbs: line 2, column ")), "{told}");
        assert!(told.contains(" of what it renders to: "), "{told}");
        assert!(told.ends_with(&format!("; that line is `{line}`")), "{told}");
    }
}

#[test]
fn wrong_values_are_told_with_their_place() {
    let files = [
        ("app/t.hbs", "a: 1"),
        ("values/broken.yaml", "a: 'b\n"),
        ("values/list.yaml", "- a\n"),
        ("values/two.yaml", "a: 1\n---\nb: 1\n"),
    ];
    let files = MemoryTree::of(&files);
    let with = |file: &str| render_tree(&files, "app", json!({"handlebars": {"valuesFiles": [file]}}));
    let told: Vec<_> =
        ["../values/prod.yaml", "../values/list.yaml", "../values/two.yaml", "../../values.yaml"]
            .map(|file| told(with(file)))
            .into();
    insta::assert_snapshot!(told.join("\n"));
    let broken = super::told(with("../values/broken.yaml"));
    assert!(broken.starts_with("InvalidValues: values/broken.yaml:"), "{broken}");
}

#[test]
fn a_template_that_is_not_utf8_is_told() {
    let mut tree = MemoryTree::default();
    tree.0.insert("app/t.hbs".into(), b"a: \xff".to_vec());
    insta::assert_snapshot!(told(render_tree(&tree, "app", json!({"auto": {}}))));
}

#[test]
fn two_partials_of_one_name_are_refused() {
    insta::assert_snapshot!(told(render(&[("app/_p.hbs", ""), ("app/x/_p.yaml.hbs", "")])));
}

#[test]
fn of_two_wrong_arguments_always_the_same_is_told() {
    let files = [("app/_p.hbs", ""), ("app/t.hbs", "{{> p d=four c=three b=two a=one}}")];
    let first = told(render(&files));
    assert!(first.contains("`one`"), "{first}");
    // Each render hashes names in another order.
    assert!((0..32).all(|_| told(render(&files)) == first));
}

#[test]
fn quoted_text_is_read_back_as_it_was() {
    for text in ["\u{7f}", "\u{85}", "\u{9f}", "\u{2028}", "\u{feff}", "\u{1}", "a\nb", "\\\"'", "on", "é😀"]
    {
        assert_eq!(template("out: {{quote v}}", json!({"v": text})), Ok(json!(text)));
    }
}
