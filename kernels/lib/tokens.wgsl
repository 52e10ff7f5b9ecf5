// Library for other kernels: which rows of a tensor are tokens, and of which image.
//
// Where every place of every image is a token, a launch knows all of that: tensors are full, and each image has as many rows. The
// active tokens of a batch (active_tokens.wgsl) are as many as its images happen to have. They lie one after the other, image by image,
// at the beginning of tensors that have room for more, and a buffer says how many there are and whose: ACTIVE. What lies behind them
// in a tensor is anything at all, and must not reach a sum.
//
// Tensors that an adapter cannot bind at once are bound in ranges of images. The tokens of each range begin where there is room for all
// of those before it, and each range has a buffer of its own: its rows and images are counted from its first.

struct Tokens {
  count: u32,        // tokens of the range
  capacity: u32,     // rows that there is room for
  images: u32,       // of the batch
  first_image: u32,  // images of the batch before the range
  spoiled: u32,      // bits of 0, or of NaN if there was no room for all of them
  table: array<u32>, // tokens before each image of the batch, and all; then the cell of each row of the range
}

const ACTIVE: bool = false;
const PLACES: u32 = 9u; // of an image, if tokens are active

@group(0) @binding(50) var<storage, read> tokens: Tokens;

// How many are in use, of so many items that belong to all rows one after the other. The quotient is whole, and below 2^20: floats find it,
// for a tenth of the time that a software adapter takes to divide whole numbers.
fn in_use(items: u32) -> u32 {
  if (ACTIVE) {
    return u32(f32(items) / f32(tokens.capacity) + 0.5) * tokens.count;
  } else {
    return items;
  }
}

// Columns of workgroups that have work, if they are for as many tokens as there is room for: not too few, and rarely one too many.
fn columns_in_use(columns: u32) -> u32 {
  let share = f32(tokens.count) / f32(tokens.capacity) * 1.000001;
  return min(columns, u32(f32(columns) * share) + 1u);
}

// True if there was room for all tokens of the batch.
fn fits() -> bool {
  if (ACTIVE) {
    return tokens.spoiled == 0u;
  } else {
    return true;
  }
}

// What a sum over tokens begins with: 0, or NaN if there was no room for all of them.
fn nothing() -> f32 {
  if (ACTIVE) {
    return bitcast<f32>(tokens.spoiled);
  } else {
    return 0.0;
  }
}

// Tokens of the batch before an image of it; of the number of images, all.
fn tokens_before(image: u32) -> u32 {
  return tokens.table[image];
}

// The first row of an image; of the number of images, the end of the last. They have `each` rows if all places are tokens.
fn image_start(image: u32, each: u32) -> u32 {
  if (ACTIVE) {
    return tokens_before(tokens.first_image + image) - tokens_before(tokens.first_image);
  } else {
    return image * each;
  }
}

// The cell of a row: which place it is, of those of all images of the range one after the other.
fn cell_of(row: u32) -> u32 {
  if (ACTIVE) {
    return tokens.table[tokens.images + 1u + row];
  } else {
    return row;
  }
}

// The image of a row.
fn image_of(row: u32, each: u32) -> u32 {
  if (ACTIVE) {
    return cell_of(row) / PLACES;
  } else {
    return row / each;
  }
}

// The place of a row in its image, which has `each` places.
fn token_place(row: u32, each: u32) -> u32 {
  if (ACTIVE) {
    return cell_of(row) % PLACES;
  } else {
    return row % each;
  }
}
