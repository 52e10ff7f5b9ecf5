/**
 * L2ViT on WebGPU: a linear-attention vision transformer for detector images, trained by its own WGSL kernels.
 *
 * What is exported here is what a program needs to read data, train, predict, explain and evaluate. Everything else in `lib`, and every
 * member that is marked as internal, may change from one version to the next.
 *
 * @example Read a data file
 * ```ts
 * import { openJets, openPacked } from "./mod.ts";
 *
 * async function read(path: string) {
 *   using file = await openJets(path, {});
 *   console.log(`${file.count} images of ${file.size} x ${file.size} pixels with ${file.channels} channels`);
 *   const labels = file.has("labels") ? file.readScalars("labels") : undefined;
 *   // packed once, in the folder cache; packInMemory() does without
 *   return { labels, images: await openPacked(file, "cache") };
 * }
 * ```
 *
 * @example Train on arrays of your own
 * ```ts
 * import { defaultConfig, Finetune, Gpu, MASS, PackedImages, stratifiedSplit } from "./mod.ts";
 *
 * async function train(pixels: Float32Array, labels: Float64Array, mass: Float64Array) {
 *   using gpu = await Gpu.open();
 *   const config = defaultConfig();
 *   const images = PackedImages.fromDense(pixels, { channels: 8, size: 125 });
 *   const split = stratifiedSplit(labels, config.data.seed);
 *   const targets = [{ ...MASS, values: mass }];
 *   using method = new Finetune(gpu, config, { images, labels, targets, split }, new Map());
 *   let step = 0;
 *   for await (const batch of method.stage([split.train.subarray(0, config.data.batch_size)])) {
 *     method.run(batch, { seed: config.data.seed, step: step++, learningRates: method.learningRates(1) });
 *   }
 *   console.log(await method.validate());
 *   return await method.weights();
 * }
 * ```
 *
 * @example Pretrain without labels
 * ```ts
 * import { type Gpu, type ImageSource, objectiveOf, parseConfig, Pretraining, randomSplit } from "./mod.ts";
 *
 * async function pretrain(gpu: Gpu, images: ImageSource) {
 *   const config = parseConfig("training: {method: mae}", "my own configuration");
 *   const split = randomSplit(images.count, config.data.seed);
 *   using method = new Pretraining(gpu, config, { images, split }, new Map(), objectiveOf(config));
 *   let step = 0;
 *   for await (const batch of method.stage([split.train.subarray(0, config.data.batch_size)])) {
 *     method.run(batch, { seed: config.data.seed, step: step++, learningRates: method.learningRates(1) });
 *   }
 *   return (await method.weights()).state;
 * }
 * ```
 *
 * @example Predict, explain and evaluate
 * ```ts
 * import { Explainer, Gpu, type LabelledData, measure, predictImages, readWeights, TestResults } from "./mod.ts";
 *
 * async function evaluate(path: string, data: LabelledData) {
 *   using gpu = await Gpu.open();
 *   const weights = readWeights(path), { test } = data.split;
 *   const results = new TestResults(weights.model.num_classes, test.length, weights.targets);
 *   for await (const prediction of predictImages(gpu, weights, data, test, 64)) {
 *     const { index } = prediction, truth = data.targets.map(({ values }) => values[index]!);
 *     results.add(prediction, data.labels[index]!, truth);
 *   }
 *   using explainer = new Explainer(gpu, weights, data);
 *   const { toTargets: [toMass] } = await explainer.explain(test[0]!);
 *   return { measures: measure(results), toMass };
 * }
 * ```
 *
 * @example Write weights, and read them back
 * ```ts
 * import { encodeWeights, readWeights, type Weights } from "./mod.ts";
 *
 * function copy(weights: Weights, path: string) {
 *   Deno.writeFileSync(path, encodeWeights(weights));
 *   return readWeights(path);
 * }
 * ```
 *
 * @module
 */

// the device
export { type AdapterFacts, type Implementation, NoAdapterError } from "./lib/gpu/adapter.ts";
export { Gpu, GpuError, type GpuOptions } from "./lib/gpu/device.ts";

// configurations
export { defaultConfig, KEYS, type RunConfig } from "./lib/config/keys.ts";
export { ConfigError, formatConfig, parseConfig } from "./lib/config/parse.ts";
export type { ConfigOf, Key, Section } from "./lib/config/schema.ts";

// data
export { type DataPart, openJets, openJetSet } from "./lib/disk/data_files.ts";
export { JetFile } from "./lib/data/jet_file.ts";
export type { JetNames, JetPart, JetQuantity, Jets, JetScalar } from "./lib/data/jets.ts";
export { openPacked } from "./lib/disk/pack_file.ts";
export { packInMemory } from "./lib/data/pack_memory.ts";
export { type ImageSize, type ImageSource, PackedImages } from "./lib/data/packed.ts";
export type { Encoding, PackedBatch } from "./lib/data/entries.ts";
export type { JetLayout } from "./lib/data/image_group.ts";
export type { Fingerprint } from "./lib/data/fingerprint.ts";
export type { PackedStore } from "./lib/disk/packed_store.ts";
export type { Notice } from "./lib/disk/lock.ts";
export { randomSplit, type Split, type SplitShares, stratifiedSplit } from "./lib/data/split.ts";
export { writeSynthetic } from "./lib/disk/write_synthetic.ts";
export { MASS, type Target, type TargetValues } from "./lib/data/targets.ts";
export { DataError } from "./lib/data/errors.ts";
export type { InputImages, LabelledData, TrainingImages } from "./lib/input/input_images.ts";
export type { ActivePatches } from "./lib/tensor/ops/images.ts";

// training
export { Finetune } from "./lib/train/finetune.ts";
export { objectiveOf, PRETRAINING_METHODS, type PretrainingMethod } from "./lib/train/methods.ts";
export type { Method } from "./lib/train/method.ts";
export type { StagedBatch } from "./lib/input/batches.ts";
export type { StepNumbers } from "./lib/tensor/step.ts";
export { type Objective, Pretraining } from "./lib/train/pretraining.ts";
export { learningRateFactor } from "./lib/train/schedule.ts";

// weights
export { readWeights } from "./lib/disk/weight_files.ts";
export { encodeWeights, type Weights, WeightsError } from "./lib/weights/weights.ts";
export type { Assumable, WeightsInfo } from "./lib/weights/weights_info.ts";
export type { Head } from "./lib/nn/heads.ts";
export type { ScaledTarget, TargetScale } from "./lib/weights/target_scale.ts";
export type { PixelScale, Transform } from "./lib/tensor/ops/images.ts";
export type { ModelConfig } from "./lib/nn/config.ts";
export type { StateDict } from "./lib/tensor/parameters.ts";
export type { TrainedOn } from "./lib/data/provenance.ts";

// predictions and what they are worth
export { Explainer, type Explanation } from "./lib/eval/attribution.ts";
export type { Digits } from "./lib/format.ts";
export { type Measure, measure, MEASURES, type MeasureValues } from "./lib/eval/measures.ts";
export type { Ranking, Sample, TargetSums } from "./lib/eval/sample.ts";
export { OutputError } from "./lib/eval/outputs.ts";
export { type ImagePrediction, predictImages, type PredictOptions } from "./lib/eval/predict.ts";
export type { Adjusted, Comparison, Difference, Interval, Intervals } from "./lib/eval/bootstrap.ts";
export { type ModelSummary, summarise, type Summary } from "./lib/eval/summary.ts";
export { TargetColumn, TestResults } from "./lib/eval/test_results.ts";

// long work
export { Interrupted, type Progress, type WorkOptions } from "./lib/interrupted.ts";
