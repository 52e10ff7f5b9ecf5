/** @file What a dataset is made of, as its header says it. */

import type { ElementType } from "./datatype.ts";
import type { Filter } from "./filters.ts";
import type { Extent, Storage } from "./data_layout.ts";
import type { Message } from "./header.ts";
import type { Hdf5Source } from "./hdf5_source.ts";

/** A dataset as its header describes it. */
export interface DatasetParts {
  /** Path of the file, as the user gave it. */
  readonly path: string;
  readonly source: Hdf5Source;
  /** Path of the dataset in it. */
  readonly name: string;
  /** Address of its header. */
  readonly address: number;
  /** What the header holds. */
  readonly messages: readonly Message[];
  readonly extent: Extent;
  readonly element: ElementType;
  readonly storage: Storage;
  readonly filters: readonly Filter[];
  /** Bytes of the element that stands for those never written, if it is not 0. */
  readonly fill: Uint8Array | undefined;
}
