import { assertEquals, assertThrows } from "@std/assert";
import { MASS } from "../../../lib/data/targets.ts";
import { defaultConfig, KEYS } from "../../../lib/config/keys.ts";
import { ConfigError } from "../../../lib/config/parse.ts";
import { keysOf } from "../../../lib/config/schema.ts";
import { DataError } from "../../../lib/data/errors.ts";
import { UNUSED_KEYS } from "../../../lib/train/unused_keys.ts";
import { simclr } from "../../../lib/train/simclr.ts";
import { objectiveOf, PRETRAINING_METHODS } from "../../../lib/train/methods.ts";
import {
  checkClasses,
  checkDecay,
  checkSize,
  checkTarget,
  checkTraining,
  stepsPerEpoch,
} from "../../../lib/train/preconditions.ts";

const checkMasses = (values: Float64Array) => checkTarget({ ...MASS, values }, "f.h5");
const jets = Float64Array.from({ length: 400 }, (_, i) => 80 + i % 2 * 100 + i % 7);

Deno.test("checkTarget() takes masses in any unit, with outliers that real files have", () => {
  for (const unit of [1e-3, 1, 1e3, 1e9]) checkMasses(jets.map((mass) => mass * unit));
  checkMasses(jets.with(3, 14_000));
  checkMasses(jets.with(3, -999));
  checkMasses(new Float64Array(10).fill(100));
  checkMasses(new Float64Array(10).fill(100).with(2, 200));
  checkMasses(new Float64Array(10));
});

Deno.test("checkTarget() names the image whose mass would drown all others, wherever it is", () => {
  for (const mass of [1e30, -1e30, 1e300, 1e7]) {
    for (const image of [0, 7, 399]) {
      const error = assertThrows(() => checkMasses(jets.with(image, mass)), DataError);
      assertEquals(error.message.includes(`the mass of image ${image} is ${mass} GeV`), true, error.message);
    }
  }
});

Deno.test("stepsPerEpoch() counts whole batches, and refuses a batch that is never full", () => {
  assertEquals([stepsPerEpoch(20, 70), stepsPerEpoch(70, 70), stepsPerEpoch(1, 1)], [3, 1, 1]);
  assertThrows(() => stepsPerEpoch(71, 70), ConfigError, "data.batch_size is 71 and there are 70 training images");
});

Deno.test("checkClasses() names the only class of the training images, unless the mass alone is learned", () => {
  const labels = Float64Array.from({ length: 10 }, (_, i) => i < 8 ? 1 : 0);
  const training = { ...defaultConfig().training };
  checkClasses(labels, Uint32Array.of(0, 1, 9), { training }, "f.h5");
  const one = Uint32Array.of(0, 1, 2);
  checkClasses(labels, one, { training: { ...training, lambda_cls: 0 } }, "f.h5");
  assertThrows(() => checkClasses(labels, one, { training }, "f.h5"), DataError, "f.h5: all 3 training images are of class 1");
});

Deno.test("checkTraining() refuses a model that no machine holds, whichever size is at fault", () => {
  checkTraining(defaultConfig());
  const sizes = [{ embed_dim: 2 ** 31 }, { mlp_ratio: 1e6 }, { num_classes: 2 ** 31 }, { head_hidden: 2 ** 31 }, {
    lcm_kernel: 2 ** 20 + 1,
  }];
  for (const size of sizes) {
    const config = defaultConfig();
    Object.assign(config.model, size);
    assertThrows(() => checkTraining(config), ConfigError, "weights, and 1,000,000,000 are the most");
  }
});

Deno.test("checkTraining() refuses kernels of the local concentration that no image is wide enough for", () => {
  for (const [kernel, img_size, patch_size] of [[49, 125, 5], [7, 6, 3], [7, 6, 6], [99, 50, 1]] as const) {
    const config = defaultConfig();
    Object.assign(config.model, { lcm_kernel: kernel, img_size, patch_size });
    checkTraining(config);
    config.model.lcm_kernel += 2;
    assertThrows(() => checkTraining(config), ConfigError, `it is ${kernel + 2}, most of which would never meet one`);
  }
});

Deno.test("checkSize() counts what is trained beside the model", () => {
  for (
    const [method, sizes] of [["mae", { decoder_embed_dim: 16_384 }], ["mae", {
      decoder_depth: 1000,
      decoder_embed_dim: 512,
    }]] as const
  ) {
    const config = defaultConfig();
    config.training.method = method;
    checkSize(config, objectiveOf(config).model.extra);
    Object.assign(config.mae, sizes);
    assertThrows(
      () => checkSize(config, objectiveOf(config).model.extra),
      ConfigError,
      "What is trained beside the model would have",
    );
  }
});

Deno.test("checkDecay() refuses a decay that turns weights around, by the learning rates that are used", () => {
  for (const [key, rate] of [["lr", 1e-3], ["backbone_lr", 0.1], ["head_lr", 1]] as const) {
    const config = defaultConfig(), other = key === "lr" ? "head_lr" : "lr";
    Object.assign(config.training, { [key]: rate, weight_decay: 0.9 / rate });
    checkDecay(config, [key]);
    config.training.weight_decay = 1.1 / rate;
    assertThrows(() => checkDecay(config, [key]), ConfigError, "times the learning rate is 1.1: a step would turn weights around");
    Object.assign(config.training, { [other]: 0.5 / config.training.weight_decay });
    checkDecay(config, [other]);
  }
});

Deno.test("SimCLR says before anything is read how large a batch the adapter can compare", () => {
  for (const [accumulate, most] of [[1, 2896], [4, 724]] as const) {
    const config = defaultConfig();
    const check = (batch_size: number) => {
      Object.assign(config.data, { batch_size });
      Object.assign(config.training, { accumulate });
      simclr(config).checkBinding!(2 ** 27);
    };
    check(most);
    assertThrows(() => check(10_000), ConfigError, `the adapter binds at most 134.2 MB. Use at most ${most}`);
    assertThrows(() => check(most + 1), ConfigError, `Use at most ${most}`);
  }
});

Deno.test("keys that a task does not use are keys, for finetuning and every method of pretraining", () => {
  const known = keysOf(KEYS).map(([name]) => name);
  assertEquals([...UNUSED_KEYS.keys()], ["finetune", ...PRETRAINING_METHODS.keys()]);
  for (const [, names] of UNUSED_KEYS) assertEquals(names.filter((name) => !known.includes(name)), []);
});
