/** @file What is drawn of the validation images after each epoch, as pictures. */

import { rocCurve } from "../eval/curves.ts";
import type { TargetColumn, TestResults } from "../eval/test_results.ts";
import { encodePng } from "../io/png.ts";
import type { EventPicture } from "../io/tensorboard.ts";
import { rangeOf } from "./chart.ts";
import { Raster } from "./raster.ts";

/** ROC curve of two classes, where there are images of both, and predicted against true values of each target, where these are known. */
export async function epochFigures(results: TestResults): Promise<EventPicture[]> {
  const bothClasses = results.classes === 2 && results.hasLabels && new Set(results.labels).size === 2;
  return [
    ...(bothClasses ? [await rocPicture(results)] : []),
    ...await Promise.all(results.targets.filter(({ isKnown }) => isKnown).map((target) => targetPicture(results, target))),
  ];
}

async function rocPicture(results: TestResults): Promise<EventPicture> {
  const raster = new Raster([0, 1]);
  raster.line(Array.from(rocCurve(results), ({ fpr, tpr }) => [fpr, tpr] as const), "blue");
  const description = "Share of class 0 that passes a threshold, to the right; share of class 1 that does, upwards.";
  return await picture("validation ROC", description, raster);
}

async function targetPicture({ labels }: TestResults, { name, unit, truth, predicted }: TargetColumn): Promise<EventPicture> {
  const raster = new Raster(rangeOf([...truth, ...predicted]));
  predicted.forEach((value, i) => raster.mark(truth[i]!, value, labels[i] === 1 ? "orange" : "blue"));
  const description = `True ${name}${
    unit === "" ? "" : ` in ${unit}`
  }, to the right; predicted ${name}, upwards. Class 1 is orange, others are blue.`;
  return await picture(`validation ${name}`, description, raster);
}

async function picture(name: string, description: string, raster: Raster): Promise<EventPicture> {
  return { name, description, width: raster.width, height: raster.height, png: await encodePng(raster) };
}
