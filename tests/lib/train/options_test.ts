/** @file Options of finetuning against PyTorch: what is frozen, layer decay, label smoothing, logarithms of masses, running mean. */

import { assert } from "@std/assert";
import { MASS } from "../../../lib/data/targets.ts";
import { defaultConfig } from "../../../lib/config/keys.ts";
import { PackedImages } from "../../../lib/data/packed.ts";
import { Finetune } from "../../../lib/train/finetune.ts";
import { read } from "../../../lib/tensor/tensor.ts";
import { assertClose, assertStateClose, channelsLast, Fixture } from "../../support/fixtures.ts";
import { variantsTest } from "../../support/gpu.ts";

/** Of several steps of AdamW, each of which sees the rounding of those before. */
const TOLERANCE = 3e-4;

variantsTest(
  "Finetune takes PyTorch's steps with every option that changes them, and their running mean is PyTorch's",
  async (gpu) => {
    const fixture = new Fixture("options/options");
    const { facts, config: model } = fixture;
    const config = defaultConfig();
    Object.assign(config.model, model);
    Object.assign(config.data, { batch_size: 4, norm_scale: 1, augment: false });
    const { layer_decay, label_smoothing, ema, backbone_lr, head_lr } = facts;
    const options = { layer_decay, label_smoothing, ema, freeze_epochs: facts.freeze, log_target: true };
    Object.assign(config.training, { backbone_lr, head_lr, weight_decay: 0.01, clip_norm: 1, ...options });
    const all = Uint32Array.of(0, 1, 2, 3);
    const pixels = channelsLast(fixture.floats("input"), fixture.shape("input"));
    const images = PackedImages.fromDense(pixels, { channels: model.in_channels, size: model.img_size });
    const [labels, mass] = [fixture.floats("label"), fixture.floats("mass")];
    const data = { images, labels, targets: [{ ...MASS, values: mass }], split: { train: all, val: all, test: all } };
    using method = new Finetune(gpu, config, data, fixture.state("weight."));
    const batches = Array.from({ length: facts.steps }, () => all);
    let step = 0;
    for await (const batch of method.stage(batches)) {
      // an epoch has one step
      method.run(batch, { seed: 1, step, row: step, learningRates: method.learningRates(1), begins: method.begins(1) });
      step++;
    }
    const table = await read(gpu, method.table), report = await read(gpu, method.report);
    const columns = method.table.shape[1]!;
    const losses = batches.map((_, i) => table[i * columns]! + table[i * columns + 1]!);
    assertClose(losses, fixture.floats("losses"), "losses", TOLERANCE);
    assertClose(batches.map((_, i) => report[2 * i]!), fixture.floats("norms"), "norms of the gradient", TOLERANCE);
    assertStateClose(await method.model.parameters.state(), fixture.state("after."), "after the steps,", TOLERANCE);
    const mean = await method.withMean(() => method.model.parameters.state());
    assertStateClose(mean, fixture.state("mean."), "running mean of", TOLERANCE);
    const again = await method.model.parameters.state();
    assertStateClose(again, fixture.state("after."), "put back,", TOLERANCE);
    const { mae } = await method.withMean(() => method.validate());
    // in GeV: the masses are from 80 to 250
    assert(mae! > 1 && mae! < 170, `a mass error of ${mae} GeV`);
  },
);
