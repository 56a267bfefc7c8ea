// A library module: put this folder beside your app, include it in settings.gradle.kts, and depend on it.

plugins {
    id("com.android.library")
    id("org.jetbrains.kotlin.android") // not with version 9 of Android's plugin, which has Kotlin in it
}

android {
    namespace = "edgekit.model"
    compileSdk = 35
    defaultConfig {
        minSdk = 28 // ImageDecoder, which turns images upright
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
    }
    androidResources { noCompress += "tflite" }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    implementation("com.google.ai.edge.litert:litert:1.4.0")
    androidTestImplementation("androidx.test:runner:1.6.2")
    androidTestImplementation("androidx.test.ext:junit:1.2.1")
}
