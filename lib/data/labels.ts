/** @file Labels: what is wrong with those that are no classes from 0, and what to do. */

const SHOWN = 6;

/** True if a table has a single 1 in each row, and zeros else. */
export function isOneHot(table: Float64Array, columns: number): boolean {
  if (columns < 2) return false;
  for (let row = 0; row < table.length; row += columns) {
    const values = table.subarray(row, row + columns);
    if (!values.every((value) => value === 0 || value === 1) || values.reduce((sum, value) => sum + value, 0) !== 1) return false;
  }
  return true;
}

/**
 * Why labels are no classes, in words that begin with "label" or "labels", or undefined if they are.
 *
 * @param classes number of classes, if it is known
 */
export function labelProblem(labels: Float64Array, classes = Infinity): string | undefined {
  const values = [...new Set(labels)].sort((a, b) => a - b);
  const [least, most] = [values[0]!, values.at(-1)!];
  const fraction = labels.findIndex((label) => !Number.isInteger(label));
  if (fraction >= 0) {
    return `label ${labels[fraction]} of image ${fraction} is no whole number, and classes are: 0, 1 and so on. ` +
      "Store the number of each image's class";
  }
  if (least >= 0 && most < classes) return undefined;
  const have = `labels are ${values.length > SHOWN ? `${least} to ${most}` : joined(values)}`;
  if (least === -1 && most === 1 && values.length === 2) return `${have}, and classes start from 0. Store (Y + 1) / 2`;
  if (values.length > 1 && least !== 0 && most - least === values.length - 1) {
    return `${have}, and classes start from 0. Store Y ${least > 0 ? `- ${least}` : `+ ${-least}`}`;
  }
  if (least === 0 && most === values.length - 1) {
    return `${have}, and the model has ${classes} classes. Set model.num_classes to ${values.length}`;
  }
  return `${have}, and classes are numbered from 0 without gaps${classes < Infinity ? `, up to ${classes - 1}` : ""}. ` +
    "Store np.unique(Y, return_inverse=True)[1]";
}

/** "1, 2 and 3". */
function joined(values: readonly number[]): string {
  return values.length > 1 ? `${values.slice(0, -1).join(", ")} and ${values.at(-1)}` : String(values[0]);
}
