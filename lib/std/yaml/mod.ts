import yaml from "js-yaml";
console.log(Object.keys(yaml));
export const parse = yaml.load;
