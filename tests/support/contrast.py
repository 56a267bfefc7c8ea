"""Whether a page can be read: a script that a browser runs."""

# Text whose contrast with what lies behind it is too low, as WCAG AA has it.
FAINT = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true})
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = colour
    canvas.fillRect(0, 0, 1, 1)
    return canvas.getImageData(0, 0, 1, 1).data
  }
  const light = ([r, g, b]) => [r, g, b]
    .map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0)
  const behind = element => {
    const rect = element.tagName == 'text' && element.parentNode.querySelector('rect')
    if (rect && element.closest('.cells')) return rgba(getComputedStyle(rect).fill)
    for (let e = element; e; e = e.parentElement) {
      const found = rgba(getComputedStyle(e).backgroundColor)
      if (found[3] == 255) return found
    }
    return [255, 255, 255, 255]
  }
  const texts = [...document.querySelectorAll('body *')].filter(e => e.getClientRects().length
    && e.tagName != 'title'
    && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()))
  const faint = texts.map(e => {
    const style = getComputedStyle(e)
    const ink = light(rgba(e.tagName == 'text' ? style.fill : style.color))
    const ground = light(behind(e))
    const ratio = (Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05)
    return {text: e.textContent.slice(0, 40), ratio, least: parseFloat(style.fontSize) >= 24 ? 3 : 4.5}
  }).filter(t => t.ratio < t.least)
  return {texts: texts.length, faint}
}"""
"""Gives the number of texts, and those that are faint."""
