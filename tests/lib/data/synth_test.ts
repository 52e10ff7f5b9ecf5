import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { MASS } from "../../../lib/data/targets.ts";
import { pack } from "../../../lib/data/entries.ts";
import { jetFeatures } from "../../../lib/data/features.ts";
import { sha256 } from "../../../lib/data/fingerprint.ts";
import { stratifiedSplit } from "../../../lib/data/split.ts";
import { describe, ImageStatistics, PUBLISHED_STATISTICS } from "../../../lib/data/statistics.ts";
import { CHANNELS, Detector, SIZE } from "../../../lib/data/synth/detector.ts";
import { JetGenerator } from "../../../lib/data/synth/jets.ts";
import { linearProbe } from "../../../lib/eval/linear_probe.ts";
import { measure } from "../../../lib/eval/measures.ts";
import { Matrix } from "../../../lib/eval/regression.ts";

const COUNT = 2000;

/** Jets and images of one seed, looked at once for all tests. */
const generated = (() => {
  const jets = new JetGenerator(), detector = new Detector();
  const statistics = new ImageStatistics({ channels: CHANNELS, size: SIZE });
  const labels: number[] = [], mass: number[] = [], pt: number[] = [], features: Float64Array[] = [];
  let towersAreBlocks = true, everyChannelReaches255 = true, hottestInTheMiddle = true;
  for (let number = 0; number < COUNT; number++) {
    const jet = jets.generate(11, number);
    labels.push(jet.label);
    mass.push(jet.mass);
    pt.push(jet.pt);
    const image = detector.draw(jet.particles, jet.random);
    const packed = pack(image, 1, "u8");
    if (!packed) throw new Error(`image ${number} holds values that are no whole numbers from 0 to 255`);
    statistics.add(packed, "u8");
    features.push(jetFeatures(packed.words, "u8", { channels: CHANNELS, size: SIZE }));
    const at = (row: number, column: number, channel: number) => image[(row * SIZE + column) * CHANNELS + channel]!;
    for (let row = 0; row < SIZE; row++) {
      for (let column = 0; column < SIZE; column++) {
        towersAreBlocks &&= at(row, column, 4) === at(row - row % 5, column - column % 5, 4);
      }
    }
    hottestInTheMiddle &&= at(62, 62, 4) === 255;
    const largest = new Float64Array(CHANNELS);
    image.forEach((value, i) => largest[i % CHANNELS] = Math.max(largest[i % CHANNELS]!, value));
    everyChannelReaches255 &&= largest.every((value) => value === 255 || value === 0);
  }
  return { statistics, labels, mass, pt, features, towersAreBlocks, everyChannelReaches255, hottestInTheMiddle };
})();

Deno.test("generated images have the published share of active pixels in each channel", () => {
  generated.statistics.channels.forEach(({ active }, channel) => {
    const published = PUBLISHED_STATISTICS.channels.active[channel]!;
    assertAlmostEquals(active, published, 0.12 * published, `channel ${channel}`);
  });
  assertAlmostEquals(generated.statistics.zeros, 0.9876, 0.0015);
});

Deno.test("generated images have the published mean and spread in each channel", () => {
  generated.statistics.channels.forEach(({ mean, std }, channel) => {
    const published = PUBLISHED_STATISTICS.channels;
    assertAlmostEquals(mean, published.mean[channel]!, 0.22 * published.mean[channel]!, `mean of channel ${channel}`);
    assertAlmostEquals(std, published.std[channel]!, 0.12 * published.std[channel]!, `deviation of channel ${channel}`);
  });
});

Deno.test("generated jets have the published spectra of mass and pT, and the class balance", () => {
  const { mass, pt } = PUBLISHED_STATISTICS;
  const generatedMass = describe(generated.mass), generatedPt = describe(generated.pt);
  assertAlmostEquals(generatedMass.mean, mass.mean, 0.05 * mass.mean);
  assertAlmostEquals(generatedMass.std, mass.std, 0.1 * mass.std);
  assertAlmostEquals(generatedPt.mean, pt.mean, 0.03 * pt.mean);
  assertAlmostEquals(generatedPt.std, pt.std, 0.1 * pt.std);
  assert(generatedPt.least >= 400 && generatedMass.least > 0);
  // three standard errors
  assertAlmostEquals(describe(generated.labels).mean, 0.4878, 3 * 0.5 / Math.sqrt(COUNT));
});

Deno.test("tops peak at the top's mass, other jets fall from about 80 GeV", () => {
  const median = (label: number) => {
    const values = generated.mass.filter((_, i) => generated.labels[i] === label).sort((a, b) => a - b);
    return values[values.length >> 1]!;
  };
  assertAlmostEquals(median(1), 182, 8);
  assertAlmostEquals(median(0), 97, 8);
});

Deno.test("generated images look like the published ones: towers of 5 x 5 pixels, every channel up to 255, centred", () => {
  assert(generated.towersAreBlocks, "an HCAL tower is not one value in 5 x 5 pixels");
  assert(generated.everyChannelReaches255, "a channel is not scaled to 255");
  assert(generated.hottestInTheMiddle, "the hottest tower is not in the middle");
});

Deno.test("hand-made features tell the classes apart about as well as the published models do on the published data", async () => {
  const { labels, mass, features } = generated;
  const floor = measure(await floorOf(features, labels, mass, 42));
  assert(floor.accuracy! > 0.85 && floor.accuracy! < 0.95, `accuracy ${floor.accuracy}`);
  assert(floor.roc_auc! > 0.93 && floor.roc_auc! < 0.99, `ROC-AUC ${floor.roc_auc}`);
  assert(floor.mass_mae! > 12 && floor.mass_mae! < 19, `mass error ${floor.mass_mae} GeV`);
});

Deno.test("linearProbe() with squares recovers a separable class and a linear mass exactly", async () => {
  const features = Array.from({ length: 60 }, (_, i) => Float64Array.of(i % 7, i / 60));
  const labels = features.map(([a]) => a! > 3 ? 1 : 0), mass = features.map(([a, b]) => 100 + 3 * a! - 20 * b!);
  const { accuracy, roc_auc, mass_mae } = measure(await floorOf(features, labels, mass, 1));
  assertEquals([accuracy, roc_auc], [1, 1]);
  assert(mass_mae! < 0.1, `mass error ${mass_mae}`);
});

Deno.test("the generator gives the same bits everywhere", async () => {
  const jets = new JetGenerator(), detector = new Detector();
  const bytes: number[] = [];
  for (let number = 0; number < 5; number++) {
    const jet = jets.generate(1, number);
    bytes.push(...new Uint8Array(Float64Array.of(jet.label, jet.mass, jet.pt).buffer), ...detector.draw(jet.particles, jet.random));
  }
  assertEquals(await sha256(Uint8Array.from(bytes)), "65c982c8d4b2856b86959187a19d1638648541c615c0200c6f73742c4eb9e476");
});

function floorOf(rows: readonly Float64Array[], labels: readonly number[], mass: readonly number[], seed: number) {
  const features = Matrix.of(rows.length, rows[0]!.length, (row, i) => row.set(rows[i]!)), targets = [{ ...MASS, values: mass }];
  return linearProbe({ features, labels, classes: 2, targets, split: stratifiedSplit(labels, seed) }, { squares: true });
}
