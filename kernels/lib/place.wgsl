// Library for other kernels: where the images that a kernel sees stand in the batch of a step.
//
// A batch may be computed in parts: by several ranks, or by one after the other. Random numbers are counted by the place of an image in
// the whole batch, so that they do not depend on how it was cut. The rows of a part are views of its images, the first views of all
// of them first:
//
//   row v images + i of a part  is  row v batch_images + first_image + i of the whole
//
// uses lib/step.wgsl

const PLACED: bool = false; // true: the images are a part of the batch

fn place_of(row: u32, step: Step) -> u32 {
  if (PLACED) {
    return row / step.images * step.batch_images + step.first_image + row % step.images;
  } else {
    return row;
  }
}
