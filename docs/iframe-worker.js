// Search without a server: browsers allow no workers on file: pages, so the worker's script runs in a hidden frame.
// The theme looks for `IFrameWorker`. https://github.com/squidfunk/iframe-worker is the idea.
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      const start = () => {
        document.body.append(frame)
        const inside = frame.contentWindow
        inside.postMessage = data => {
          const event = new MessageEvent("message", { data })
          this.dispatchEvent(event)
          this.onmessage?.(event)
        }
        inside.importScripts = (...urls) => Promise.all(urls.map(one => load(inside, one)))
        return load(inside, url)
      }
      this.frame = frame
      this.ready = document.body ? start() : new Promise(done => addEventListener("DOMContentLoaded", () => done(start())))
    }
    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })))
    }
    terminate() {
      this.frame.remove()
    }
  }
  function load(inside, url) {
    return new Promise((done, failed) => {
      const script = inside.document.createElement("script")
      script.src = url
      script.onload = done
      script.onerror = failed
      inside.document.body.append(script)
    })
  }
}
