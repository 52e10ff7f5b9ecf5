/** @file What is drawn of the validation images after each epoch, as pictures. */

import { rocCurve } from "../eval/curves.ts";
import type { TestResults } from "../eval/test_results.ts";
import { encodePng } from "../io/png.ts";
import type { EventPicture } from "../io/tensorboard.ts";
import { rangeOf } from "./chart.ts";
import { Raster } from "./raster.ts";

/** ROC curve of two classes, where there are images of both, and predicted against true masses, where these are known. */
export async function epochFigures(results: TestResults): Promise<EventPicture[]> {
  const bothClasses = results.classes === 2 && results.hasLabels && new Set(results.labels).size === 2;
  return [
    ...(bothClasses ? [await rocPicture(results)] : []),
    ...(results.hasMass ? [await massPicture(results)] : []),
  ];
}

async function rocPicture(results: TestResults): Promise<EventPicture> {
  const raster = new Raster([0, 1]);
  raster.line(Array.from(rocCurve(results), ({ fpr, tpr }) => [fpr, tpr] as const), "blue");
  const description = "Share of class 0 that passes a threshold, to the right; share of class 1 that does, upwards.";
  return await picture("validation ROC", description, raster);
}

async function massPicture({ labels, mass, trueMass }: TestResults): Promise<EventPicture> {
  const raster = new Raster(rangeOf([...trueMass, ...mass]));
  mass.forEach((predicted, i) => raster.mark(trueMass[i]!, predicted, labels[i] === 1 ? "orange" : "blue"));
  const description = "True mass in GeV, to the right; predicted mass, upwards. Class 1 is orange, others are blue.";
  return await picture("validation mass", description, raster);
}

async function picture(name: string, description: string, raster: Raster): Promise<EventPicture> {
  return { name, description, width: raster.width, height: raster.height, png: await encodePng(raster) };
}
