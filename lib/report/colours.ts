/** @file Colour scales for images. */

/** What images are drawn on: single bright pixels are seen best on a dark ground. */
export const NIGHT = "#161b26";
/** Anchors of a scale whose lightness rises evenly, from blue to yellow; readable without colour vision, on a dark ground. */
const SEQUENTIAL = [[66, 92, 160], [38, 150, 156], [94, 201, 98], [253, 231, 37]] as const;
/** Blue for negative, orange for positive, the more the brighter: small amounts stay dark on a dark ground. */
const SIGNED = [[120, 200, 255], [46, 110, 190], [52, 56, 70], [186, 84, 22], [255, 176, 92]] as const;

/** A colour of the scale for amounts. */
export function sequential(share: number): string {
  return mix(SEQUENTIAL, share);
}

/** A colour of the scale for signed values, from -1 to 1. */
export function signed(value: number): string {
  return mix(SIGNED, (value + 1) / 2);
}

function mix(anchors: readonly (readonly number[])[], share: number): string {
  const at = Math.min(1, Math.max(0, share)) * (anchors.length - 1);
  const i = Math.min(anchors.length - 2, Math.floor(at));
  const parts = anchors[i]!.map((value, k) => Math.round(value + (at - i) * (anchors[i + 1]![k]! - value)));
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
