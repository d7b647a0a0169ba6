// A scene with the parts that three's examples have: controls, text, a model through exporter and loader, passes.
import * as THREE from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { GLTFExporter } from "three/addons/exporters/GLTFExporter.js";
import { RoundedBoxGeometry } from "three/addons/geometries/RoundedBoxGeometry.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { SVGLoader } from "three/addons/loaders/SVGLoader.js";
import { EffectComposer } from "three/addons/postprocessing/EffectComposer.js";
import { OutputPass } from "three/addons/postprocessing/OutputPass.js";
import { RenderPass } from "three/addons/postprocessing/RenderPass.js";
import { UnrealBloomPass } from "three/addons/postprocessing/UnrealBloomPass.js";
import Stats from "three/addons/libs/stats.module.js";
import { GUI } from "three/addons/libs/lil-gui.module.min.js";

const renderer = new THREE.WebGLRenderer({ preserveDrawingBuffer: true });
renderer.setSize(160, 120);
document.body.append(renderer.domElement);
const scene = new THREE.Scene();
scene.add(new THREE.AmbientLight(0xffffff, 3));
const camera = new THREE.PerspectiveCamera(45, 4 / 3, 0.1, 50);
camera.position.set(2, 2, 4);
new OrbitControls(camera, renderer.domElement).update();
document.body.append(new Stats().dom);
new GUI().add({ sails: 3 }, "sails", 0, 9);

const hull = new THREE.Mesh(new RoundedBoxGeometry(1, 1, 1), new THREE.MeshStandardMaterial({ color: 0xff3300 }));
const binary = await new GLTFExporter().parseAsync(hull, { binary: true });
const model = await new GLTFLoader().parseAsync(binary, "");
scene.add(model.scene);

const texture = await new THREE.TextureLoader().loadAsync(new URL("../own/img/one.svg", import.meta.url).href);
const svg = await new SVGLoader().loadAsync(new URL("../own/img/sprite.svg", import.meta.url).href);

const composer = new EffectComposer(renderer);
composer.addPass(new RenderPass(scene, camera));
composer.addPass(new UnrealBloomPass(new THREE.Vector2(160, 120), 0.2, 0.1, 0.9));
composer.addPass(new OutputPass());
composer.render();

const seen = document.createElement("canvas").getContext("2d");
seen.drawImage(renderer.domElement, 0, 0);
const [red, green, blue] = seen.getImageData(80, 60, 1, 1).data;
document.documentElement.dataset.result = JSON.stringify({
  revision: THREE.REVISION,
  vertices: model.scene.getObjectByProperty("type", "Mesh").geometry.attributes.position.count > 0,
  reddest: red > green && red > blue && red > 50,
  texture: texture.image.width,
  svg: svg.paths.length,
});
