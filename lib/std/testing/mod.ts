/**
 * The part of @std/testing that this project uses: see bdd.ts.
 *
 * @module
 */
export * from "./bdd.ts";
