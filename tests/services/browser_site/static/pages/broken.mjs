// Goes wrong in every way that a test has to see.
console.error("said on purpose");
document.body.append(Object.assign(new Image(), { src: "/static/own/img/icon.svg" }));
document.body.append(Object.assign(new Image(), { src: "/static/own/img/nowhere.svg" }));
document.body.append(Object.assign(new Image(), { src: "data:image/gif;base64,R0lGODlhAQABAAAAACw=" }));
setTimeout(() => { throw new Error("thrown on purpose"); });
setTimeout(() => { document.documentElement.dataset.result = "{}"; }, 500);
