/** @file How a report was made, in words: the command, the program, the data and the weights, so that anybody can make it again. */

import program from "../../deno.json" with { type: "json" };
import { sha256 } from "../data/fingerprint.ts";
import type { TrainedOn } from "../data/provenance.ts";
import { exists } from "../disk/files.ts";
import { formatCount } from "../format.ts";
import type { AdapterFacts } from "../gpu/adapter.ts";
import type { Weights } from "../weights/weights.ts";

/** A term and what it means. */
export type Term = readonly [term: string, meaning: string];

/**
 * How a report was made.
 *
 * @param task whose command line makes it again
 * @param path of the data, as it is called in messages
 * @param data what is known of them
 * @param candidates the models that were judged
 */
export async function describeMaking(
  task: string,
  adapter: AdapterFacts,
  path: string,
  data: TrainedOn,
  candidates: readonly { readonly name: string; readonly members: readonly Weights[] }[],
): Promise<Term[]> {
  const { deno } = Deno.version, { os, arch } = Deno.build;
  const terms: Term[] = [
    ["The command that makes it again", commandLine(task)],
    ["Program", `${program.name} ${program.version}, Deno ${deno} on ${os} ${arch}, ${adapter.name}`],
    ["Data", `${path}: ${formatCount(data.images)} images with fingerprint ${data.fingerprint}, classes and masses ${data.labels}`],
  ];
  for (const { name, members } of candidates) {
    for (const weights of members) {
      const of = members.length > 1 ? `${name}, ${weights.path}` : name;
      terms.push([`Weights of ${of}`, `${weights.path}, SHA-256 ${await sha256(Deno.readFileSync(weights.path))}`]);
      for (const known of weights.trainedOn) terms.push([`Trained on (${of})`, describeTraining(known)]);
    }
    const [first] = members;
    terms.push([`Configuration of ${name}`, configurationOf(first!.path) ?? JSON.stringify(first!.model, undefined, 1)]);
  }
  return terms;
}

function describeTraining({ path, images, fingerprint, split, seed, fold, train, val }: TrainedOn): string {
  const part = fold ? `, part ${fold[0]} of ${fold[1]} for testing` : "";
  return `${formatCount(train)} images of ${path}, ${formatCount(val)} more for validation; of ${
    formatCount(images)
  } with fingerprint ` +
    `${fingerprint}, divided ${split === "random" ? "at random" : "by class"} with seed ${seed}${part}`;
}

/** The configuration that a run has written beside its weights. */
function configurationOf(weights: string): string | undefined {
  const path = weights.replace(/[^/]*$/, "config.yaml");
  return exists(path) ? Deno.readTextFileSync(path).trim() : undefined;
}

/** The command line of this process, as a shell takes it. */
export function commandLine(task: string): string {
  return ["deno task", task, ...Deno.args.map(quoted)].join(" ");
}

/** An argument as a shell takes it. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
