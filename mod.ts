/**
 * L2ViT on WebGPU: a linear-attention vision transformer for detector images, trained by its own WGSL kernels.
 *
 * The parts, from the bottom up: a device ({@linkcode Gpu}), tensors and a tape that records operations and their
 * gradients ({@linkcode Tape}), the model ({@linkcode LinearViT}), ways to train it ({@linkcode Finetune},
 * {@linkcode Pretraining} with {@linkcode simclr} or {@linkcode mae}, {@linkcode Trainer}), data ({@linkcode JetFile}, {@linkcode PackedImages}) and weight files
 * ({@linkcode readWeights}).
 *
 * @example Train on arrays of your own
 * ```ts ignore
 * import { defaultConfig, Finetune, Gpu, PackedImages, stratifiedSplit } from "./mod.ts";
 *
 * using gpu = await Gpu.open();
 * const config = defaultConfig();
 * const images = PackedImages.fromDense(pixels, { channels: 8, size: 125 });
 * const data = { images, labels, mass, split: stratifiedSplit(labels, 42) };
 * using method = new Finetune(gpu, config, data, new Map());
 * for await (const batch of method.stage([data.split.train.subarray(0, 64)])) {
 *   method.run(batch, { seed: 42, step: 0, learningRates: [3e-4, 3e-4] });
 * }
 * ```
 *
 * @module
 */

export * from "./lib/config/help.ts";
export * from "./lib/config/keys.ts";
export * from "./lib/config/parse.ts";
export * from "./lib/config/schema.ts";
export type { EmptyImages } from "./lib/data/empty.ts";
export * from "./lib/data/entries.ts";
export * from "./lib/data/errors.ts";
export * from "./lib/data/fingerprint.ts";
export type { DataFile, Dataset, DatasetInfo, Unwritten } from "./lib/data/data_file.ts";
export type { NumberFormat, NumberLayout } from "./lib/data/numbers.ts";
export * from "./lib/data/hdf5_writer.ts";
export * from "./lib/data/jet_file.ts";
export type { ImageGroup, JetLayout } from "./lib/data/image_group.ts";
export * from "./lib/data/loader.ts";
export * from "./lib/data/pack_file.ts";
export * from "./lib/data/packed.ts";
export * from "./lib/data/packed_store.ts";
export * from "./lib/data/provenance.ts";
export * from "./lib/data/split.ts";
export * from "./lib/data/synth/write.ts";
export * from "./lib/eval/attribution.ts";
export * from "./lib/eval/bootstrap.ts";
export * from "./lib/eval/predict.ts";
export * from "./lib/eval/measures.ts";
export * from "./lib/eval/validation.ts";
export * from "./lib/eval/outputs.ts";
export * from "./lib/eval/overlap.ts";
export * from "./lib/eval/image_map.ts";
export * from "./lib/eval/linear_probe.ts";
export * from "./lib/eval/neighbour_probe.ts";
export * from "./lib/input/data.ts";
export * from "./lib/numbers.ts";
export * from "./lib/eval/regression.ts";
export * from "./lib/eval/summary.ts";
export * from "./lib/gpu/choices.ts";
export * from "./lib/gpu/device.ts";
export * from "./lib/gpu/dims.ts";
export * from "./lib/gpu/dispatch.ts";
export * from "./lib/gpu/grid.ts";
export * from "./lib/gpu/kernel.ts";
export * from "./lib/gpu/layout.ts";
export * from "./lib/gpu/pacer.ts";
export * from "./lib/gpu/pipelines.ts";
export * from "./lib/gpu/plan.ts";
export * from "./lib/gpu/wgsl.ts";
export * from "./lib/interrupted.ts";
export * from "./lib/io/csv.ts";
export * from "./lib/io/download.ts";
export * from "./lib/io/lock.ts";
export * from "./lib/io/numpy.ts";
export * from "./lib/io/onnx.ts";
export * from "./lib/io/pickle.ts";
export * from "./lib/io/pickle_operands.ts";
export * from "./lib/io/pickle_values.ts";
export * from "./lib/io/protobuf.ts";
export * from "./lib/io/safetensors.ts";
export * from "./lib/io/system_error.ts";
export * from "./lib/io/tensor_view.ts";
export * from "./lib/io/torch.ts";
export * from "./lib/io/torch_writer.ts";
export * from "./lib/io/weight_file.ts";
export * from "./lib/io/zip.ts";
export * from "./lib/io/zip_writer.ts";
export * from "./lib/input/batches.ts";
export * from "./lib/weights/checkpoint_facts.ts";
export * from "./lib/nn/config.ts";
export * from "./lib/weights/find_model.ts";
export * from "./lib/weights/finite.ts";
export * from "./lib/weights/history.ts";
export * from "./lib/weights/infer_model.ts";
export * from "./lib/nn/layers.ts";
export * from "./lib/nn/linear_vit.ts";
export * from "./lib/nn/mae_decoder.ts";
export * from "./lib/weights/onnx_graph.ts";
export * from "./lib/weights/onnx_model.ts";
export * from "./lib/weights/pretrained_config.ts";
export * from "./lib/nn/projection_head.ts";
export * from "./lib/weights/weights.ts";
export * from "./lib/weights/weights_info.ts";
export * from "./lib/random.ts";
export * from "./lib/tensor/deferred.ts";
export * from "./lib/tensor/launch.ts";
export * from "./lib/tensor/ops/adamw.ts";
export * from "./lib/tensor/ops/add.ts";
export * from "./lib/tensor/ops/attention_received.ts";
export * from "./lib/tensor/ops/batch_norm.ts";
export * from "./lib/tensor/ops/depthwise_conv.ts";
export * from "./lib/tensor/ops/dropout.ts";
export * from "./lib/tensor/ops/gelu.ts";
export * from "./lib/tensor/ops/images.ts";
export * from "./lib/tensor/ops/l2_normalise.ts";
export * from "./lib/tensor/ops/layer_norm.ts";
export * from "./lib/tensor/ops/linear.ts";
export * from "./lib/tensor/ops/linear_attention.ts";
export * from "./lib/tensor/ops/losses.ts";
export * from "./lib/tensor/ops/matmul.ts";
export * from "./lib/tensor/ops/matmul_product.ts";
export * from "./lib/tensor/ops/matmul_tuning.ts";
export * from "./lib/tensor/ops/matmul_variants.ts";
export * from "./lib/tensor/ops/mean_tokens.ts";
export * from "./lib/tensor/ops/patch_embedding.ts";
export * from "./lib/tensor/ops/record.ts";
export * from "./lib/tensor/ops/softmax_attention.ts";
export * from "./lib/tensor/ops/tokens.ts";
export * from "./lib/tensor/ops/transpose.ts";
export * from "./lib/tensor/parameters.ts";
export * from "./lib/tensor/step.ts";
export * from "./lib/tensor/tape.ts";
export * from "./lib/tensor/tensor.ts";
export * from "./lib/train/checkpoint.ts";
export * from "./lib/input/open_data.ts";
export * from "./lib/train/finetune.ts";
export * from "./lib/train/mae.ts";
export * from "./lib/train/method.ts";
export * from "./lib/train/methods.ts";
export * from "./lib/train/preconditions.ts";
export * from "./lib/train/pretraining.ts";
export * from "./lib/train/replay.ts";
export * from "./lib/train/run.ts";
export * from "./lib/train/run_folder.ts";
export * from "./lib/train/schedule.ts";
export * from "./lib/train/simclr.ts";
export * from "./lib/train/trainer.ts";
export * from "./lib/train/tuning.ts";
