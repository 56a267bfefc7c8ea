// An image to the numbers that a model's input takes, as the bundle says: upright, colors, size, numbers.

import { resize } from './resize.js'

/** The RGBA pixels of an image file or of anything else that createImageBitmap takes. */
async function decode(image) {
  const bitmap = await createImageBitmap(image, {
    imageOrientation: 'from-image', // upright, as its EXIF says
    premultiplyAlpha: 'none',
    colorSpaceConversion: 'none', // as Pillow: the numbers of the file
  })
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
  const context = canvas.getContext('2d', { willReadFrequently: true })
  context.drawImage(bitmap, 0, 0)
  bitmap.close()
  return context.getImageData(0, 0, canvas.width, canvas.height)
}

/** The channels that an input wants, of RGBA pixels; gray as Pillow weighs it. */
function channelsOf({ data, width, height }, order) {
  const size = width * height
  const channels = { L: 1, RGBA: 4 }[order] ?? 3
  const pixels = new Uint8Array(size * channels)
  for (let i = 0; i < size; i++) {
    const [red, green, blue] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]]
    if (order === 'L') {
      pixels[i] = (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16
    } else {
      pixels.set(order === 'BGR' ? [blue, green, red] : [red, green, blue], i * channels)
      if (channels === 4) pixels[4 * i + 3] = data[4 * i + 3]
    }
  }
  return { pixels, width, height, channels }
}

/** The numbers of an image for an input: a Float32Array of height, width and channels. */
export async function preprocess(image, wanted) {
  if ((wanted.resize ?? 'stretch') !== 'stretch' || (wanted.crop ?? 'none') !== 'none') {
    throw new Error(`this page resizes whole images, and the bundle asks for ${wanted.resize}, crop ${wanted.crop}`)
  }
  const decoded = image instanceof ImageData ? image : await decode(image)
  const colored = channelsOf(decoded, wanted.color_order)
  const { pixels, channels } = resize(colored, wanted.width, wanted.height)
  const mean = Float32Array.from(wanted.mean)
  const std = Float32Array.from(wanted.std)
  return Float32Array.from(pixels, (value, at) => {
    const channel = at % channels
    return Math.fround(value - mean[channel]) / std[channel]
  })
}
