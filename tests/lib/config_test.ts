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
  it("names an unknown key and the nearest one", () =>
    refuses("training:\n  epoch: 3\n", `"training.epoch". Did you mean "training.epochs"?`));
  it("names an unknown key of --set", () => refuses("", `Did you mean "model.depth"?`, ["model.dept=3"]));
  it("names the key and the type it expects", () =>
    refuses("model:\n  depth: deep\n", `model.depth must be a whole number: it is "deep"`));
  it("refuses a fraction for a whole number", () => refuses("model:\n  depth: 1.5\n", "must be a whole number"));
  it("refuses values out of range", () => refuses("model:\n  dropout: 1\n", "at most 0.99"));
  it("refuses a word that is none of the choices", () => refuses("augment:\n  roll: eta\n", "one of phi, towers, none"));
  it("refuses a section where a value belongs", () => refuses("data: 5\n", `"data" must hold keys and values`));
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
