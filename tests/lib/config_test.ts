import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { defaultConfig } from "../../lib/config/keys.ts";
import { keysMarkdown } from "../../lib/config/help.ts";
import { ConfigError, differences, formatConfig, parseConfig } from "../../lib/config/parse.ts";

function refuses(yaml: string, why: string, overrides: string[] = []): void {
  assertThrows(() => parseConfig(yaml, "c.yaml", overrides), ConfigError, why);
}

describe("parseConfig()", () => {
  it("fills in what is not given", () => {
    const config = parseConfig("training:\n  epochs: 7\n", "c.yaml");
    assertEquals(config.training.epochs, 7);
    assertEquals(config.model.embed_dim, 256);
  });
  it("lets --set win over the file", () => {
    const config = parseConfig("training:\n  epochs: 7\n", "c.yaml", [
      "training.epochs=2",
      "data.shuffle=false",
      "output.dir=runs/x",
    ]);
    assertEquals([config.training.epochs, config.data.shuffle, config.output.dir], [2, false, "runs/x"]);
  });
  it("reads paths and classes as text, lists, or keys and values", () => {
    const [paths, classes] = ["a.h5,b*.h5", "q*.h5: 0, t*.h5: 1"];
    for (const labelled of ["[a.h5, 'b*.h5']", '"a.h5,b*.h5"', "\n    - a.h5\n    - b*.h5"]) {
      assertEquals(parseConfig(`data:\n  labelled_path: ${labelled}\n`, "c.yaml").data.labelled_path, paths);
    }
    for (const set of ["a.h5,b*.h5", "[a.h5, b*.h5]"]) {
      assertEquals(parseConfig("", "c.yaml", [`data.labelled_path=${set}`]).data.labelled_path, paths);
    }
    for (const classOf of ["{q*.h5: 0, t*.h5: 1}", "\n    q*.h5: 0\n    t*.h5: 1"]) {
      const config = parseConfig(`data:\n  class_of: ${classOf}\n`, "c.yaml");
      assertEquals(config.data.class_of, classes);
      assertEquals(parseConfig(formatConfig(config), "c.yaml"), config);
    }
    assertEquals(parseConfig("", "c.yaml", [`data.class_of={${classes}}`]).data.class_of, classes);
    refuses("data:\n  labelled_path: {a: b}\n", "data.labelled_path must be a path or a list of paths");
    refuses("data:\n  class_of: {q*: top}\n", "data.class_of must be a class for each pattern");
  });
  it("names an unknown key and the nearest one", () =>
    refuses("training:\n  epoch: 3\n", `"training.epoch". Did you mean "training.epochs"?`));
  it("names an unknown key of --set", () => refuses("", `Did you mean "model.depth"?`, ["model.dept=3"]));
  it("names the key and the type it expects", () =>
    refuses("model:\n  depth: deep\n", `model.depth must be a whole number, such as 6: it is "deep"`));
  it("gives an example of a number that may be", () => {
    refuses("", "training.weight_decay must be at least 0, such as 0.01: it is -1", ["training.weight_decay=-1"]);
    refuses("", "model.dropout must be at most 0.99, such as 0.1: it is 1", ["model.dropout=1"]);
    refuses("", "model.depth must be at most 1000, such as 6: it is 1001", ["model.depth=1001"]);
  });
  it("refuses a fraction for a whole number", () => refuses("model:\n  depth: 1.5\n", "must be a whole number"));
  it("refuses values out of range", () => refuses("model:\n  dropout: 1\n", "at most 0.99"));
  it("refuses a word that is none of the choices", () => refuses("augment:\n  roll: eta\n", "one of phi, towers, none"));
  it("refuses a section where a value belongs", () => refuses("data: 5\n", `"data" must hold keys and values`));
  it("reads numbers and flags however YAML and Python write them", () => {
    const config = parseConfig(
      "training: {lr: 1e-3, weight_decay: .5, epochs: 1_000}\ndata: {seed: 0x1f, shuffle: False}\n",
      "c.yaml",
    );
    const { training: { lr, weight_decay, epochs }, data: { seed, shuffle } } = config;
    assertEquals([lr, weight_decay, epochs, seed, shuffle], [1e-3, 0.5, 1000, 31, false]);
  });
  it("refuses numbers that 32 bits cannot hold: kernels would take them for 0 or infinity", () => {
    for (const key of ["training.temperature", "training.lambda_cls", "data.norm_scale", "model.denominator_floor"]) {
      refuses("", `${key} must be at most 3.40`, [`${key}=1e300`]);
      refuses("", `${key} must be at most 3.40`, [`${key}=3.5e38`]);
    }
    for (const key of ["training.clip_norm", "training.lr", "training.weight_decay"]) {
      refuses("", `${key} must be 0 or at least 1.17`, [`${key}=1e-300`]);
      for (const value of ["0", "1e-30", "1e30"]) parseConfig("", "c.yaml", [`${key}=${value}`]);
    }
  });
  it("says how a key with dots is written", () => {
    refuses("training.epochs: 3\n", '"training.epochs" is a key in a section: write training: and, indented below it, epochs:');
    refuses("data:\n  keys.images: x\n", "write data: and, indented below it, keys: and, indented below it, images:");
    refuses("model.dept: 3\n", 'Did you mean "model.depth"?');
  });
  it("refuses numbers that some take for octal", () => {
    for (const seed of ["0100", "08", "-01", "00.5", "0_1"]) refuses(`data:\n  seed: ${seed}\n`, "without zeros in front");
    refuses("", "without zeros in front", ["data.seed=0100"]);
  });
  it("refuses what is no number", () => {
    for (const lr of ["", "yes", "1e", "1:30", ".inf", "nan", "1e400", "_1", "1__0", "'1 0'", "[1]", "{a: 1}", "null"]) {
      refuses(`training:\n  lr: ${lr}\n`, "training.lr must be a number");
    }
  });
  it("refuses words for flags that only some take for them", () => {
    for (const flag of ["yes", "no", "on", "1", "tRUE", ""]) refuses(`data:\n  shuffle: ${flag}\n`, "must be true or false");
  });
  it("keeps text that looks like something else", () => {
    for (const dir of ["2024-05-01", "007", "1e3", "yes", "true", "12:30"]) {
      assertEquals(parseConfig(`output:\n  dir: ${dir}\n`, "c.yaml").output.dir, dir);
      assertEquals(parseConfig("", "c.yaml", [`output.dir=${dir}`]).output.dir, dir);
    }
  });
  it("takes null for an empty text and for a section of defaults", () => {
    for (const nothing of ["", "~", "null"]) {
      const config = parseConfig(`pretrained_weights: ${nothing}\ntraining: ${nothing}\n`, "c.yaml");
      assertEquals([config.pretrained_weights, config.training.epochs], ["", 50]);
    }
  });
  it("names the line that a tab indents", () => refuses("training:\n  lr: 1\n\tepochs: 3\n", "c.yaml: line 3 begins with a tab"));
  it("reads JSON, tabs and all", () => assertEquals(parseConfig('{\n\t"data": {"seed": 7}\n}', "c.json").data.seed, 7));
  it("refuses duplicate keys", () => refuses("data:\n  seed: 1\n  seed: 2\n", "not valid YAML"));
  it("refuses broken YAML", () => refuses("a: [", "not valid YAML"));
  it("refuses names of JavaScript's own", () => refuses("__proto__:\n  x: 1\n", "unknown key"));
  it("checks keys against one another", () =>
    refuses("augment:\n  drop_channels_min: 3\n", "must not exceed augment.drop_channels_max"));
  it("reads back what formatConfig() writes", () => {
    const config = defaultConfig();
    assertEquals(differences(parseConfig(formatConfig(config), "c.yaml"), config), []);
  });
});

Deno.test("differences() names the keys that differ", () => {
  const other = parseConfig("", "", ["training.lr=1", "output.dir=elsewhere"]);
  assertEquals(differences(defaultConfig(), other, ["output.dir"]), ["training.lr: 0.0003 -> 1"]);
});

Deno.test("the README's table of keys is the one that follows from their declaration", () => {
  const readme = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));
  const begin = readme.indexOf("| key | default | meaning |");
  assertEquals(readme.slice(begin, readme.indexOf("\n\n", begin)), keysMarkdown());
});

Deno.test("every configuration in configs/ is valid", () => {
  const folder = new URL("../../configs/", import.meta.url);
  for (const name of ["pretrain_simclr", "finetune", "scratch", "demo/pretrain", "demo/finetune", "demo/scratch"]) {
    parseConfig(Deno.readTextFileSync(new URL(`${name}.yaml`, folder)), name);
  }
});
