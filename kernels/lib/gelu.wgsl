// Library for other kernels: the exact GELU and its derivative.
//
//   gelu(x)  = x Phi(x)             Phi(x) = (1 + erf(x / sqrt 2)) / 2
//   gelu'(x) = Phi(x) + x phi(x)    phi(x) = exp(-x^2 / 2) / sqrt(2 pi)
//
// Hendrycks and Gimpel, arXiv:1606.08415. Phi comes from erfc by formula 7.1.26 of Abramowitz and Stegun,
// Handbook of Mathematical Functions; its absolute error is below 1.5e-7, about one unit in the last place
// of a float near 1.

// Number is the type that the kernel works on, f32 or vec4<f32>.

const INV_SQRT_2: f32 = 0.7071067811865476;
const INV_SQRT_2PI: f32 = 0.3989422804014327;

struct Gaussian {
  cumulative: Number,
  density: Number,
}

// Phi(x) and sqrt(2 pi) phi(x).
fn gaussian(x: Number) -> Gaussian {
  let z = abs(x) * INV_SQRT_2;
  let density = exp(-z * z);
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let p = (((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592;
  let tail = 0.5 * p * t * density;
  return Gaussian(select(tail, 1.0 - tail, x > Number()), density);
}

fn gelu(x: Number) -> Number {
  return x * gaussian(x).cumulative;
}

fn gelu_grad(x: Number) -> Number {
  let g = gaussian(x);
  return x * INV_SQRT_2PI * g.density + g.cumulative;
}
